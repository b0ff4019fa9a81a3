//! The functions of Liberty's pins: `!` before and `'` behind invert; `^`, then `*`, `&` or nothing, then `+` or `|` join.

use blc_ir::table::{VAR, mask};

/// How deep parentheses nest.
const MAX_DEPTH: usize = 64;

/// The table of a text over inputs, at most six; bit `a` is the value where input `j` is bit `j` of `a`.
///
/// # Errors
/// What is wrong with the text, in words.
pub fn table(text: &str, inputs: &[String]) -> Result<u64, String> {
    let mut parser = Parser { rest: text, inputs, depth: 0 };
    let table = parser.or()?;
    match parser.next() {
        None => Ok(table & mask(inputs.len())),
        Some(c) => Err(format!("`{}` is unexpected in a function", c.escape_default())),
    }
}

struct Parser<'a> {
    rest: &'a str,
    inputs: &'a [String],
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, any: &[char]) -> bool {
        let found = self.next().filter(|c| any.contains(c));
        self.rest = &self.rest[found.map_or(0, char::len_utf8)..];
        found.is_some()
    }

    fn or(&mut self) -> Result<u64, String> {
        let mut table = self.and()?;
        while self.take(&['+', '|']) {
            table |= self.and()?;
        }
        Ok(table)
    }

    fn and(&mut self) -> Result<u64, String> {
        let mut table = self.xor()?;
        while self.take(&['*', '&']) || self.next().is_some_and(|c| c == '!' || c == '(' || is_name(c)) {
            table &= self.xor()?;
        }
        Ok(table)
    }

    fn xor(&mut self) -> Result<u64, String> {
        let mut table = self.one()?;
        while self.take(&['^']) {
            table ^= self.one()?;
        }
        Ok(table)
    }

    fn one(&mut self) -> Result<u64, String> {
        let mut invert = false;
        while self.take(&['!']) {
            invert = !invert;
        }
        let mut table = match self.next() {
            Some('(') => {
                self.take(&['(']);
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("a function of too many parentheses".into());
                }
                let inner = self.or()?;
                self.depth -= 1;
                if !self.take(&[')']) {
                    return Err("a parenthesis of a function does not end".into());
                }
                inner
            }
            Some(c) if is_name(c) => self.name()?,
            Some(c) => return Err(format!("`{}` is unexpected in a function", c.escape_default())),
            None => return Err("a function ends too early".into()),
        };
        while self.take(&['\'']) {
            invert = !invert;
        }
        if invert {
            table = !table;
        }
        Ok(table)
    }

    fn name(&mut self) -> Result<u64, String> {
        let end = self.rest.find(|c| !is_name(c)).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        self.rest = rest;
        match (self.inputs.iter().position(|input| input == name), name) {
            (Some(j), _) => VAR.get(j).copied().ok_or_else(|| "a function of too many inputs".into()),
            (None, "0") => Ok(0),
            (None, "1") => Ok(u64::MAX),
            _ => Err(format!("its function reads `{}`, which is no input", name.escape_default())),
        }
    }
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        ["A", "B", "C1"].map(String::from).into()
    }

    #[test]
    fn functions() {
        for (text, expected) in [
            ("A", 0xaa),
            ("!A", 0x55),
            ("A'", 0x55),
            ("!A'", 0xaa),
            ("(A B)'", 0x77),
            ("A*B+C1", 0xf8),
            ("A & (B | C1)", 0xa8),
            ("A^B C1", 0x60),
            ("!A!B", 0x11),
            ("(A)(B)", 0x88),
            ("1", 0xff),
            ("A 0", 0),
            ("  A+ B'", 0xbb),
        ] {
            assert_eq!(table(text, &names()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_function() {
        let deep = "(".repeat(1000) + "A" + &")".repeat(1000);
        for text in ["", "A +", "(A", "A)", "D", "A ^ ^ B", "'A", "A $ B", "ä", &deep] {
            assert!(table(text, &names()).is_err(), "{text}");
        }
    }
}
