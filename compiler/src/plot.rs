//! Charts as SVG: lines and dots over two axes, for curves of training and fronts of a sweep.
//!
//! The text is a function of the numbers alone, stands by itself in any browser, and reads on white and on black.

use std::fmt::Write;

/// Width of a chart.
const WIDTH: f64 = 720.0;
/// Height of a chart.
const HEIGHT: f64 = 300.0;
/// Room at the left, the top, the right and the bottom.
const MARGIN: [f64; 4] = [64.0, 34.0, 20.0, 46.0];
/// Okabe and Ito's colours, told apart by most eyes.
const COLORS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// One chart.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Above it.
    pub title: String,
    /// Below and beside the axes.
    pub labels: [String; 2],
    /// Whether the horizontal axis is logarithmic; numbers that are not positive are then left out.
    pub log_x: bool,
    /// What it shows.
    pub series: Vec<Series>,
}

/// Points of one colour.
#[derive(Clone, Debug)]
pub struct Series {
    /// For the legend.
    pub name: String,
    /// `(x, y)`; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
    /// Joined by a line, or dots.
    pub line: bool,
}

/// Charts below one another as one SVG.
pub fn svg(charts: &[Chart]) -> String {
    let height = HEIGHT * charts.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (i, chart) in charts.iter().enumerate() {
        let _ = writeln!(out, "<g transform=\"translate(0 {})\">", HEIGHT * i as f64);
        chart.draw(&mut out);
        out += "</g>\n";
    }
    out + "</svg>\n"
}

impl Chart {
    fn draw(&self, out: &mut String) {
        let along = |x: f64| if self.log_x { x.log10() } else { x };
        let points = |s: &Series| -> Vec<(f64, f64)> {
            let moved = s.points.iter().map(|&(x, y)| (along(x), y));
            moved.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
        };
        let all: Vec<Vec<(f64, f64)>> = self.series.iter().map(points).collect();
        let x = Axis::over(all.iter().flatten().map(|p| p.0), MARGIN[0], WIDTH - MARGIN[2]);
        let y = Axis::over(all.iter().flatten().map(|p| p.1), HEIGHT - MARGIN[3], MARGIN[1]);
        let _ = writeln!(out, "<text x=\"{}\" y=\"20\" font-weight=\"bold\">{}</text>", x.from, escape(&self.title));
        for tick in x.ticks() {
            let at = x.place(tick);
            line(out, [at, y.from, at, y.to], "#ddd");
            let value = if self.log_x { 10f64.powf(tick) } else { tick };
            label(out, at, y.from + 16.0, "middle", &number(value));
        }
        for tick in y.ticks() {
            let at = y.place(tick);
            line(out, [x.from, at, x.to, at], "#ddd");
            label(out, x.from - 6.0, at + 4.0, "end", &number(tick));
        }
        label(out, (x.from + x.to) / 2.0, y.from + 36.0, "middle", &self.labels[0]);
        let middle = (y.from + y.to) / 2.0;
        let _ = writeln!(
            out,
            "<text x=\"16\" y=\"{middle}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {middle})\">{}</text>",
            escape(&self.labels[1])
        );
        for (i, (series, points)) in self.series.iter().zip(&all).enumerate() {
            let color = COLORS[i % COLORS.len()];
            let placed = points.iter().map(|p| (x.place(p.0), y.place(p.1)));
            if series.line {
                let path: Vec<String> = placed.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
                let path = path.join(" ");
                let _ = writeln!(
                    out,
                    "<polyline points=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.8\"/>"
                );
            } else {
                placed.for_each(|(x, y)| {
                    let _ = writeln!(out, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
                });
            }
            let at = x.to - 150.0 * (self.series.len() - i) as f64;
            let _ = writeln!(out, "<rect x=\"{at}\" y=\"11\" width=\"12\" height=\"10\" fill=\"{color}\"/>");
            label(out, at + 17.0, 20.0, "start", &series.name);
        }
    }
}

/// From numbers to places.
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    /// Wide enough for all the numbers.
    fn over(numbers: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), n| (l.min(n), h.max(n)));
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        let room = if low == high { low.abs().max(1.0) * 0.1 } else { (high - low) * 0.04 };
        Self { low: low - room, high: high + room, from, to }
    }

    fn place(&self, number: f64) -> f64 {
        self.from + (number - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Three to nine multiples of 1, 2 or 5 times a power of ten.
    fn ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 8.0;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|s| *s >= rough).unwrap_or(rough);
        let (first, last) = ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
        (first..=last).take(20).map(|i| i as f64 * step).collect()
    }
}

fn line(out: &mut String, [x1, y1, x2, y2]: [f64; 4], color: &str) {
    let _ = writeln!(out, "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>");
}

fn label(out: &mut String, x: f64, y: f64, anchor: &str, text: &str) {
    let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>", escape(text));
}

/// Four digits are enough beside an axis.
fn number(n: f64) -> String {
    let text = format!("{:.*}", (3 - n.abs().max(1e-3).log10().floor() as i32).clamp(0, 6) as usize, n);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: Vec<(f64, f64)>, log_x: bool, line: bool) -> Chart {
        let series = vec![Series { name: "a <b>".into(), points, line }];
        Chart { title: "t & u".into(), labels: ["x".into(), "y".into()], log_x, series }
    }

    #[test]
    fn points_lie_where_the_axes_say() {
        let text = svg(&[chart(vec![(1.0, 0.0), (3.0, 1.0), (f64::NAN, 7.0)], false, true)]);
        let (x, y) = (Axis::over([1.0, 3.0].into_iter(), 64.0, 700.0), Axis::over([0.0, 1.0].into_iter(), 254.0, 34.0));
        let expected = format!("{:.1},{:.1} {:.1},{:.1}", x.place(1.0), y.place(0.0), x.place(3.0), y.place(1.0));
        assert!(text.contains(&format!("points=\"{expected}\"")), "{text}");
        assert!(x.place(1.0) > 64.0 && x.place(3.0) < 700.0 && y.place(1.0) > 34.0);
        assert!(text.contains("t &amp; u") && text.contains("a &lt;b&gt;"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        let ticks = |a: f64, b: f64| Axis::over([a, b].into_iter(), 0.0, 1.0).ticks();
        assert_eq!(ticks(0.0, 10.0), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        for (a, b) in [(0.97, 0.99), (-3.0, 1e6), (5.0, 5.0), (1e-9, 2e-9)] {
            assert!((3..=11).contains(&ticks(a, b).len()), "{a} to {b}: {:?}", ticks(a, b));
        }
        assert_eq!([0.025, 98.5, 1e5, 0.0, -2.5].map(number), ["0.025", "98.5", "100000", "0", "-2.5"]);
    }

    #[test]
    fn logarithms_and_nothing_at_all() {
        let text = svg(&[chart(vec![(10.0, 1.0), (1000.0, 2.0), (0.0, 3.0)], true, false), chart(vec![], false, true)]);
        assert_eq!(text.matches("<circle").count(), 2, "zero has no logarithm");
        assert!(text.contains(">100<") && text.contains("viewBox=\"0 0 720 600\""));
        assert!(!text.contains("NaN") && !text.contains("inf"));
    }
}
