//! Reads pipeline strings.
//!
//! ```text
//! list    = [item ("," item)*]
//! item    = word options? | "@default" | "repeat" "[" number "]" "(" list ")" | "fixpoint" "(" list ")"
//!         | "try" ["[" number "]"] "(" list ")"
//! options = "{" [word "=" value ("," word "=" value)*] "}"
//! value   = number | "true" | "false" | word | string
//! ```

use std::ops::Range;
use std::sync::Arc;

use blc_ir::diag::{Code, Diagnostic, Result, Source};
use serde_json::{Map, Number, Value};

use super::{Call, FIXPOINT_ROUNDS, Item, MAX_RUNS, Pipeline};
use crate::codes::{BAD_OPTION, PIPELINE_SYNTAX, PIPELINE_TOO_LONG, UNKNOWN_OPTION, UNKNOWN_PASS};
use crate::registry::{Entry, Registry};
use crate::suggest;

/// Most parentheses inside each other.
const MAX_DEPTH: usize = 16;
/// Longest text.
const MAX_TEXT: usize = 1 << 20;

pub(super) fn parse(text: &str, default: &str, registry: &Registry) -> Result<Pipeline> {
    let source = Source::new("<passes>", text);
    let mut parser = Parser { source: Arc::clone(&source), pos: 0, default: Some(default), registry };
    let items = parser.whole()?;
    let runs = runs(&items);
    if runs > MAX_RUNS {
        let text = format!("this pipeline runs up to {runs} passes");
        let help = format!("repeat less: at most {MAX_RUNS} passes run");
        return Err(Box::new(Diagnostic::error(&PIPELINE_TOO_LONG, text).at(&source, 0..source.text.len()).help(help)));
    }
    Ok(Pipeline { source, items })
}

/// Most passes that the items may run.
fn runs(items: &[Item]) -> u64 {
    let count = |item: &Item| match item {
        Item::Pass(_) => 1,
        Item::Repeat(times, body) => runs(body).saturating_mul(u64::from(*times)),
        Item::Fixpoint(body) => runs(body).saturating_mul(u64::from(FIXPOINT_ROUNDS)),
        Item::Try(_, body) => runs(body),
    };
    items.iter().map(count).fold(0, u64::saturating_add)
}

/// Whether a text is one word of the grammar.
pub(super) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(is_word_char)
}

fn is_word_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '/')
}

struct Parser<'a> {
    source: Arc<Source>,
    pos: usize,
    /// What `@default` stands for; `None` inside of it.
    default: Option<&'a str>,
    registry: &'a Registry,
}

impl Parser<'_> {
    fn whole(&mut self) -> Result<Vec<Item>> {
        if self.source.text.len() > MAX_TEXT {
            return Err(Box::new(Diagnostic::error(&PIPELINE_TOO_LONG, "this text is longer than a pipeline can be")));
        }
        let items = self.list(0)?;
        if self.peek().is_some() { Err(self.expected("`,` or the end")) } else { Ok(items) }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        if matches!(self.peek(), None | Some(')')) {
            return Ok(items);
        }
        loop {
            self.item(depth, &mut items)?;
            if !self.eat(',') {
                return Ok(items);
            }
        }
    }

    fn item(&mut self, depth: usize, items: &mut Vec<Item>) -> Result<()> {
        if self.peek() == Some('@') {
            return self.default(items);
        }
        let (name, span) = self.word("a pass")?;
        let item = match (name.as_str(), self.peek()) {
            ("repeat", Some('[')) => {
                self.expect('[')?;
                let times = self.times()?;
                self.expect(']')?;
                Item::Repeat(times, self.body(depth)?)
            }
            ("repeat", _) => return Err(self.expected("`[` and how often to repeat")),
            ("fixpoint", _) => Item::Fixpoint(self.body(depth)?),
            ("try", Some('[')) => {
                self.expect('[')?;
                let most = self.times()?;
                self.expect(']')?;
                Item::Try(Some(most), self.body(depth)?)
            }
            ("try", _) => Item::Try(None, self.body(depth)?),
            _ => {
                let Some(entry) = self.registry.get(&name).copied() else {
                    let help = suggest::help(&name, self.registry.names().chain(["repeat", "fixpoint", "try"]));
                    return Err(self.error(&UNKNOWN_PASS, format!("no pass is called `{name}`"), span, help));
                };
                let options = self.options(&entry)?;
                Item::Pass(Call { entry, options, source: Arc::clone(&self.source), span })
            }
        };
        items.push(item);
        Ok(())
    }

    fn default(&mut self, items: &mut Vec<Item>) -> Result<()> {
        let start = self.pos;
        self.expect('@')?;
        let (name, span) = self.word("`default`")?;
        let span = start..span.end;
        let Some(text) = self.default.filter(|_| name == "default") else {
            let text = format!("`@{name}` stands for nothing here");
            return Err(self.error(
                &PIPELINE_SYNTAX,
                text,
                span,
                "`@default` is the default pipeline of a design".into(),
            ));
        };
        let source = Source::new("<default passes>", text);
        items.extend(Parser { source, pos: 0, default: None, registry: self.registry }.whole()?);
        Ok(())
    }

    fn body(&mut self, depth: usize) -> Result<Vec<Item>> {
        if depth == MAX_DEPTH {
            return Err(self.expected("fewer parentheses inside each other"));
        }
        self.expect('(')?;
        let items = self.list(depth + 1)?;
        self.expect(')')?;
        Ok(items)
    }

    fn times(&mut self) -> Result<u32> {
        let (start, text) = self.run(|c| c.is_ascii_digit());
        text.parse().map_err(|_| {
            let end = self.pos;
            self.error(
                &PIPELINE_SYNTAX,
                "a number of repetitions (or ops) is needed".into(),
                start..end,
                "as in `repeat[3](fold)`".into(),
            )
        })
    }

    /// The options of a pass, all spelled out.
    fn options(&mut self, entry: &Entry) -> Result<Value> {
        let known = entry.defaults();
        let names = || known.as_object().into_iter().flat_map(Map::keys).map(String::as_str);
        let mut options = Map::new();
        if self.eat('{') && !self.eat('}') {
            loop {
                let (name, span) = self.word("an option")?;
                if known.get(&name).is_none() {
                    let text = format!("`{}` has no option `{name}`", entry.name);
                    let help = match names().next() {
                        Some(_) => suggest::help(&name, names()),
                        None => format!("`{}` has no options", entry.name),
                    };
                    return Err(self.error(&UNKNOWN_OPTION, text, span, help));
                }
                if options.contains_key(&name) {
                    let help = "give it once".into();
                    return Err(self.error(&PIPELINE_SYNTAX, format!("`{name}` is given twice"), span, help));
                }
                self.expect('=')?;
                let (value, span) = self.value()?;
                // One by one, so that the error points at the option that is wrong.
                if let Err(why) = entry.spell(Value::Object(Map::from_iter([(name.clone(), value.clone())]))) {
                    let help = match &known[&name] {
                        Value::Null => format!("leave `{name}` out where it is not needed"),
                        default => format!("its default is {default}"),
                    };
                    return Err(self.error(&BAD_OPTION, format!("`{name}` cannot be that: {why}"), span, help));
                }
                options.insert(name, value);
                if !self.eat(',') {
                    break;
                }
            }
            self.expect('}')?;
        }
        let end = self.pos;
        entry.spell(Value::Object(options)).map_err(|why| {
            let text = format!("the options of `{}` do not fit together: {why}", entry.name);
            self.error(&BAD_OPTION, text, end.saturating_sub(1)..end, format!("the defaults are {known}"))
        })
    }

    fn value(&mut self) -> Result<(Value, Range<usize>)> {
        match self.peek() {
            Some('"') => self.string(),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            _ => {
                let (word, span) = self.word("a value")?;
                let value = match word.as_str() {
                    "true" => Value::Bool(true),
                    "false" => Value::Bool(false),
                    _ => Value::String(word),
                };
                Ok((value, span))
            }
        }
    }

    fn number(&mut self) -> Result<(Value, Range<usize>)> {
        let (start, text) = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.'));
        let span = start..self.pos;
        let whole = text.parse::<u64>().map(Number::from).or_else(|_| text.parse::<i64>().map(Number::from));
        match whole.ok().or_else(|| text.parse().ok().and_then(Number::from_f64)) {
            Some(number) => Ok((Value::Number(number), span)),
            None => {
                let help = "strings that begin with a digit stand in quotes".into();
                Err(self.error(&PIPELINE_SYNTAX, format!("`{text}` is not a number"), span, help))
            }
        }
    }

    fn string(&mut self) -> Result<(Value, Range<usize>)> {
        self.expect('"')?;
        let start = self.pos - 1;
        let mut text = String::new();
        let mut chars = self.source.text[self.pos..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.pos += at + 1;
                    return Ok((Value::String(text), start..self.pos));
                }
                '\\' => text.extend(chars.next().map(|(_, c)| c)),
                c => text.push(c),
            }
        }
        let end = self.source.text.len();
        Err(self.error(&PIPELINE_SYNTAX, "this string has no end".into(), start..end, "add the closing `\"`".into()))
    }

    // ---- characters

    /// The next character that is not space.
    fn peek(&mut self) -> Option<char> {
        let rest = &self.source.text[self.pos..];
        let rest = rest.trim_start();
        self.pos = self.source.text.len() - rest.len();
        rest.chars().next()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.pos += if found { c.len_utf8() } else { 0 };
        found
    }

    fn expect(&mut self, c: char) -> Result<()> {
        if self.eat(c) { Ok(()) } else { Err(self.expected(&format!("`{c}`"))) }
    }

    /// The characters from here on that belong, and where they begin.
    fn run(&mut self, belongs: impl Fn(char) -> bool) -> (usize, String) {
        self.peek();
        let start = self.pos;
        let rest = &self.source.text[start..];
        let text = &rest[..rest.find(|c| !belongs(c)).unwrap_or(rest.len())];
        self.pos += text.len();
        (start, text.to_string())
    }

    fn word(&mut self, wanted: &str) -> Result<(String, Range<usize>)> {
        if !self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            return Err(self.expected(wanted));
        }
        let (start, text) = self.run(is_word_char);
        Ok((text, start..self.pos))
    }

    // ---- errors

    fn expected(&mut self, wanted: &str) -> Box<Diagnostic> {
        let found = match self.peek() {
            Some(c) => format!("`{c}`"),
            None => "the end".into(),
        };
        let end = self.pos + self.peek().map_or(0, char::len_utf8);
        let help = "as in `expand,fold,cover{k=6},repeat[2](fold,dce)`".into();
        self.error(&PIPELINE_SYNTAX, format!("expected {wanted}, found {found}"), self.pos..end, help)
    }

    fn error(&self, code: &'static Code, text: String, span: Range<usize>, help: String) -> Box<Diagnostic> {
        Box::new(Diagnostic::error(code, text).at(&self.source, span).help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pass::{Abort, Changed, Pass, PassCx, PassSpec};
    use blc_ir::{Func, Level};
    use serde::{Deserialize, Serialize};

    struct Nothing;

    impl Pass for Nothing {
        fn run(&mut self, _: &mut Func, _: &mut PassCx<'_>) -> Result<Changed, Abort> {
            Ok(Changed::No)
        }
    }

    #[derive(Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Options {
        k: u8,
        mode: String,
        fast: bool,
        limit: Option<u32>,
        weight: f64,
    }

    macro_rules! pass {
        ($ty:ident, $name:literal, $options:ty) => {
            struct $ty;
            impl PassSpec for $ty {
                const NAME: &'static str = $name;
                const SUMMARY: &'static str = "for tests";
                const LEVEL: Level = Level::Bit;
                type Options = $options;
                fn build(_: $options) -> Box<dyn Pass> {
                    Box::new(Nothing)
                }
            }
        };
    }
    #[derive(Default, Serialize, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct NoOptions {}
    pass!(A, "alpha", Options);
    pass!(B, "beta", NoOptions);

    fn read(text: &str) -> Result<Pipeline> {
        let mut registry = Registry::new();
        registry.register::<A>();
        registry.register::<B>();
        parse(text, "beta, alpha{k=2}", &registry)
    }

    #[test]
    fn spells_everything_out_and_reads_it_back() {
        let cases = [
            ("", ""),
            (" beta ", "beta"),
            ("alpha", r#"alpha{fast=false,k=0,mode="",weight=0.0}"#),
            (
                "alpha { k = 6 , mode = x-y, fast=true, limit=7, weight=-1.5e3 } , beta{}",
                "alpha{fast=true,k=6,limit=7,mode=x-y,weight=-1500.0},beta",
            ),
            (r#"alpha{mode="a \"b\" \\ é"}"#, r#"alpha{fast=false,k=0,mode="a \"b\" \\ é",weight=0.0}"#),
            (r#"alpha{mode="true"}"#, r#"alpha{fast=false,k=0,mode="true",weight=0.0}"#),
            ("repeat[3](beta,fixpoint(beta),repeat[0]())", "repeat[3](beta,fixpoint(beta),repeat[0]())"),
            ("try( beta , try[ 9 ](beta))", "try(beta,try[9](beta))"),
            ("beta,@default,beta", r#"beta,beta,alpha{fast=false,k=2,mode="",weight=0.0},beta"#),
        ];
        for (text, resolved) in cases {
            let pipeline = read(text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(pipeline.resolved(), resolved, "{text}");
            assert_eq!(read(resolved).unwrap().resolved(), resolved, "{text}");
        }
    }

    #[test]
    fn errors_point_and_help() {
        let cases: [(&str, &Code, &str, &str); 20] = [
            ("alpha,bete", &UNKNOWN_PASS, "bete", "did you mean `beta`"),
            ("zzz", &UNKNOWN_PASS, "zzz", "there are `alpha`, `beta`, `repeat`"),
            ("alpha{kk=1}", &UNKNOWN_OPTION, "kk", "did you mean `k`"),
            ("beta{k=1}", &UNKNOWN_OPTION, "k", "has no options"),
            ("alpha{k=999}", &BAD_OPTION, "999", "default is 0"),
            ("alpha{k=six}", &BAD_OPTION, "six", "default is 0"),
            ("alpha{fast=1}", &BAD_OPTION, "1", "default is false"),
            ("alpha{k=1,k=2}", &PIPELINE_SYNTAX, "k", "once"),
            ("alpha{k}", &PIPELINE_SYNTAX, "}", "as in"),
            ("alpha{k=1", &PIPELINE_SYNTAX, "", "as in"),
            ("alpha{k=1x}", &PIPELINE_SYNTAX, "1x", "quotes"),
            ("alpha{mode=\"x", &PIPELINE_SYNTAX, "\"x", "closing"),
            ("alpha,,beta", &PIPELINE_SYNTAX, ",", "as in"),
            ("alpha)", &PIPELINE_SYNTAX, ")", "as in"),
            ("alpha,", &PIPELINE_SYNTAX, "", "as in"),
            ("repeat(alpha)", &PIPELINE_SYNTAX, "(", "as in"),
            ("repeat[x](alpha)", &PIPELINE_SYNTAX, "", "repeat[3]"),
            ("try[](alpha)", &PIPELINE_SYNTAX, "", "repeat[3]"),
            ("@defaults", &PIPELINE_SYNTAX, "@defaults", "default pipeline"),
            ("repeat[9000](fixpoint(beta))", &PIPELINE_TOO_LONG, "repeat[9000](fixpoint(beta))", "repeat less"),
        ];
        for (text, code, at, help) in cases {
            let error = read(text).expect_err(text);
            assert_eq!(error.code.id, code.id, "{error}");
            assert!(error.help.as_deref().is_some_and(|h| h.contains(help)), "{error}");
            let blc_ir::diag::Place::Span(source, span) = &error.place else { panic!("{error}") };
            assert_eq!(&source.text[span.clone()], at, "{error}");
        }
        let deep = format!("{}beta{}", "fixpoint(".repeat(100_000), ")".repeat(100_000));
        assert_eq!(read(&deep).expect_err("deep").code.id, PIPELINE_SYNTAX.id);
    }

    #[test]
    fn the_default_cannot_name_itself() {
        let mut registry = Registry::new();
        registry.register::<B>();
        assert_eq!(parse("@default", "@default", &registry).expect_err("loop").code.id, PIPELINE_SYNTAX.id);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[a-z@{}()\\[\\]=,\"\\\\0-9é -]{0,40}") {
            if let Ok(pipeline) = read(&text) {
                let resolved = pipeline.resolved();
                proptest::prop_assert_eq!(read(&resolved).unwrap().resolved(), resolved);
            }
        }
    }
}
