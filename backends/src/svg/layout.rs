//! A layered layout: columns from left to right, few crossings, edges routed through the columns between.
//!
//! Sugiyama's method: an edge over several columns becomes a chain through small nodes, shared by all edges of a source;
//! each column is ordered by the mean position of its neighbours, to and fro; heights are then the nearest to the
//! neighbours' mean that keeps the order and the distances (isotonic regression by pooling adjacent violators).

use std::collections::HashMap;

use petgraph::Direction::{Incoming, Outgoing};
use petgraph::graph::{DiGraph, NodeIndex};

/// What is laid out. Units are pixels.
pub(super) struct Box {
    pub width: f32,
    pub height: f32,
    /// Its column, 0 the rightmost.
    pub column: usize,
}

/// From a box to a pin of a box in a column further right.
pub(super) struct Edge {
    pub from: usize,
    pub to: usize,
    /// Of the pin, from the box's top.
    pub pin: f32,
}

/// Where everything goes.
pub(super) struct Layout {
    /// Left upper corner of each box.
    pub corners: Vec<(f32, f32)>,
    /// The points that each edge goes through, from source to pin.
    pub routes: Vec<Vec<(f32, f32)>>,
    pub width: f32,
    pub height: f32,
}

/// Between columns, and between boxes of one.
const GAP: (f32, f32) = (56.0, 12.0);
/// Height of a place where an edge passes a column.
const PASS: f32 = 4.0;
const SWEEPS: usize = 12;

/// Most boxes and passes together.
pub(super) const MAX_PLACES: usize = 20_000;

struct Place {
    column: usize,
    height: f32,
    /// Of its middle.
    y: f32,
}

/// Lays out; `None` where it would take more than [`MAX_PLACES`].
pub(super) fn layout(boxes: &[Box], edges: &[Edge]) -> Option<Layout> {
    let mut graph: DiGraph<Place, ()> = DiGraph::new();
    for b in boxes {
        graph.add_node(Place { column: b.column, height: b.height, y: 0.0 });
    }
    // The places that each edge passes, from its source on.
    let mut passes: HashMap<(usize, usize), NodeIndex> = HashMap::new();
    let mut chains = Vec::with_capacity(edges.len());
    for edge in edges {
        let mut chain = vec![NodeIndex::new(edge.from)];
        for column in (boxes[edge.to].column + 1..boxes[edge.from].column).rev() {
            let next = *passes
                .entry((edge.from, column))
                .or_insert_with(|| graph.add_node(Place { column, height: PASS, y: 0.0 }));
            graph.update_edge(chain[chain.len() - 1], next, ());
            chain.push(next);
        }
        graph.update_edge(chain[chain.len() - 1], NodeIndex::new(edge.to), ());
        chains.push(chain);
        if graph.node_count() > MAX_PLACES {
            return None;
        }
    }

    let mut columns: Vec<Vec<NodeIndex>> = Vec::new();
    for n in graph.node_indices() {
        let column = graph[n].column;
        columns.resize(columns.len().max(column + 1), Vec::new());
        columns[column].push(n);
    }
    order(&mut graph, &mut columns);
    heights(&mut graph, &columns);

    // Columns are numbered from the right.
    let width = |column: usize| boxes.iter().filter(|b| b.column == column).map(|b| b.width).fold(0.0, f32::max);
    let widths: Vec<f32> = (0..columns.len()).map(width).collect();
    let mut lefts = vec![0.0; columns.len()];
    for column in (0..columns.len().saturating_sub(1)).rev() {
        lefts[column] = lefts[column + 1] + widths[column + 1] + GAP.0;
    }
    let top = graph.node_weights().map(|p| p.y - p.height / 2.0).fold(f32::INFINITY, f32::min);
    let bottom = graph.node_weights().map(|p| p.y + p.height / 2.0).fold(0.0, f32::max);
    let corners: Vec<(f32, f32)> = boxes
        .iter()
        .enumerate()
        .map(|(i, b)| (lefts[b.column], graph[NodeIndex::new(i)].y - b.height / 2.0 - top))
        .collect();
    let route = |(edge, chain): (&Edge, &Vec<NodeIndex>)| {
        let from = &boxes[edge.from];
        let mut points = vec![(lefts[from.column] + from.width, graph[chain[0]].y - top)];
        for &pass in &chain[1..] {
            let (column, y) = (graph[pass].column, graph[pass].y - top);
            points.extend([(lefts[column], y), (lefts[column] + widths[column], y)]);
        }
        let (x, y) = corners[edge.to];
        points.push((x, y + edge.pin));
        points
    };
    let routes = edges.iter().zip(&chains).map(route).collect();
    let width = lefts.first().zip(widths.first()).map_or(0.0, |(x, w)| x + w);
    Some(Layout { corners, routes, width, height: if bottom > top { bottom - top } else { 0.0 } })
}

/// Mean of some numbers, or what stands in where there are none.
fn mean(numbers: impl Iterator<Item = f32>, otherwise: f32) -> f32 {
    let (sum, n) = numbers.fold((0.0, 0.0), |(sum, n), x| (sum + x, n + 1.0));
    if n > 0.0 { sum / n } else { otherwise }
}

/// Orders the columns; `y` is then the position in the column.
fn order(graph: &mut DiGraph<Place, ()>, columns: &mut [Vec<NodeIndex>]) {
    for column in columns.iter() {
        column.iter().enumerate().for_each(|(i, &n)| graph[n].y = i as f32);
    }
    for sweep in 0..SWEEPS {
        let to_left = sweep % 2 == 0;
        let count = columns.len();
        for step in 1..count {
            let (column, from) = if to_left { (step, Outgoing) } else { (count - 1 - step, Incoming) };
            let key = |n: NodeIndex| mean(graph.neighbors_directed(n, from).map(|m| graph[m].y), graph[n].y);
            let mut keyed: Vec<(f32, NodeIndex)> = columns[column].iter().map(|&n| (key(n), n)).collect();
            keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
            columns[column] = keyed.into_iter().map(|(_, n)| n).collect();
            // Shares of the column, so that short and long columns compare.
            let n = columns[column].len() as f32;
            columns[column].iter().enumerate().for_each(|(i, &m)| graph[m].y = (i as f32 + 0.5) / n);
        }
    }
}

/// Sets the heights of ordered columns.
fn heights(graph: &mut DiGraph<Place, ()>, columns: &[Vec<NodeIndex>]) {
    for column in columns {
        let mut y = 0.0;
        for &n in column {
            graph[n].y = y + graph[n].height / 2.0;
            y += graph[n].height + GAP.1;
        }
    }
    for sweep in 0..SWEEPS {
        let count = columns.len();
        for step in 0..count {
            let column = if sweep % 2 == 0 { &columns[step] } else { &columns[count - 1 - step] };
            let wanted: Vec<f32> =
                column.iter().map(|&n| mean(graph.neighbors_undirected(n).map(|m| graph[m].y), graph[n].y)).collect();
            let sizes: Vec<f32> = column.iter().map(|&n| graph[n].height).collect();
            for (&n, y) in column.iter().zip(nearest(&wanted, &sizes)) {
                graph[n].y = y;
            }
        }
    }
}

/// The positions nearest to the wanted ones at which things of these sizes stand in order and apart.
fn nearest(wanted: &[f32], sizes: &[f32]) -> Vec<f32> {
    // Without sizes and gaps: as far as everything before pushes each.
    let mut offsets = Vec::with_capacity(sizes.len());
    let mut offset = 0.0;
    for (i, size) in sizes.iter().enumerate() {
        offset += if i == 0 { 0.0 } else { (sizes[i - 1] + size) / 2.0 + GAP.1 };
        offsets.push(offset);
    }
    // Blocks of equal value: sum and count.
    let mut blocks: Vec<(f32, usize)> = Vec::new();
    for (w, offset) in wanted.iter().zip(&offsets) {
        blocks.push((w - offset, 1));
        while let [.., (a, n), (b, m)] = blocks[..] {
            if a / n as f32 <= b / m as f32 {
                break;
            }
            blocks.truncate(blocks.len() - 2);
            blocks.push((a + b, n + m));
        }
    }
    let values = blocks.into_iter().flat_map(|(sum, n)| std::iter::repeat_n(sum / n as f32, n));
    values.zip(offsets).map(|(value, offset)| value + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_keep_order_and_distance() {
        assert_eq!(nearest(&[0.0, 100.0], &[10.0, 10.0]), [0.0, 100.0]);
        // Both want 50: they meet there, a box and a gap apart.
        assert_eq!(nearest(&[50.0, 50.0], &[10.0, 10.0]), [39.0, 61.0]);
        let y = nearest(&[9.0, 3.0, 6.0, 90.0], &[20.0; 4]);
        assert!(y.windows(2).all(|w| w[1] - w[0] >= 20.0 + GAP.1 - 1e-3), "{y:?}");
    }

    #[test]
    fn boxes_stand_apart_and_edges_go_right() {
        // A diamond with an edge past its middle, and many leaves.
        let column = |column| Box { width: 50.0, height: 30.0, column };
        let mut boxes: Vec<Box> = [0, 1, 1, 2].map(column).into();
        let edge = |from, to| Edge { from, to, pin: 15.0 };
        let mut edges = vec![edge(1, 0), edge(2, 0), edge(3, 1), edge(3, 2), edge(3, 0)];
        for _ in 0..9 {
            edges.push(edge(boxes.len(), 1));
            boxes.push(column(3));
        }
        edges[5].to = 0;
        let layout = layout(&boxes, &edges).unwrap();
        for (i, a) in boxes.iter().enumerate() {
            for j in (0..i).filter(|&j| boxes[j].column == a.column) {
                assert!((layout.corners[i].1 - layout.corners[j].1).abs() >= 30.0, "{i} and {j}");
            }
            let (x, y) = layout.corners[i];
            assert!(x >= 0.0 && y >= -0.01 && x + 50.0 <= layout.width && y + 30.0 <= layout.height + 0.01);
        }
        for (route, edge) in layout.routes.iter().zip(&edges) {
            assert!(route.windows(2).all(|w| w[0].0 <= w[1].0), "{route:?}");
            assert_eq!(route.len(), 2 * (boxes[edge.from].column - boxes[edge.to].column));
        }
        let long = [Box { width: 1.0, height: 1.0, column: MAX_PLACES + 1 }, column(0)];
        assert!(super::layout(&long, &[edge(0, 1)]).is_none());
    }
}
