//! "Did you mean …?": the known word nearest to a misspelt one.

/// The candidate nearest to `word`, if it is near enough to be meant: one edit, or one in three letters. An edit
/// inserts, deletes or replaces a letter or exchanges two neighbours. Of equally near ones the first.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(MAX_LEN + 1).collect();
    if word.len() > MAX_LEN {
        return None;
    }
    let limit = (word.len() / 3).max(1);
    let near = candidates.into_iter().map(|c| (distance(&word, &c.chars().take(MAX_LEN).collect::<Vec<_>>()), c));
    near.filter(|&(d, _)| d <= limit).min_by_key(|&(d, _)| d).map(|(_, c)| c)
}

/// A help line that names the nearest candidate, or all of them where none is near.
pub fn help<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match closest(word, candidates.clone()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let all: Vec<_> = candidates.into_iter().map(|c| format!("`{c}`")).collect();
            if all.is_empty() { "there are none".into() } else { format!("there are {}", all.join(", ")) }
        }
    }
}

const MAX_LEN: usize = 64;

/// Optimal string alignment distance, three rows of the table at a time.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let names = ["expand", "fold", "cover", "lower-head", "pipeline"];
        assert_eq!(closest("pipelin", names), Some("pipeline"));
        assert_eq!(closest("fodl", names), Some("fold"));
        assert_eq!(closest("lower_head", names), Some("lower-head"));
        assert_eq!(closest("retime", names), None);
        assert_eq!(closest(&"x".repeat(1000), names), None);
        assert_eq!(closest("", names), None);
        assert_eq!(help("retime", ["a", "b"]), "there are `a`, `b`");
        assert_eq!(help("aa", ["a", "b"]), "did you mean `a`?");
    }

    #[test]
    fn distance_counts_edits() {
        let d = |a: &str, b: &str| distance(&a.chars().collect::<Vec<_>>(), &b.chars().collect::<Vec<_>>());
        assert_eq!(d("", "abc"), 3);
        assert_eq!(d("abc", "abc"), 0);
        assert_eq!(d("abcd", "acbd"), 1);
        assert_eq!(d("kitten", "sitting"), 3);
    }
}
