//! Which known word somebody may have meant.

/// `did you mean 'put'?`, or the list of all words where none is near.
pub(crate) fn one_of<'word>(
    text: &str,
    words: impl IntoIterator<Item = &'word str> + Clone,
) -> String {
    let near = nearest(text, words.clone());
    if !near.is_empty() {
        return format!("did you mean '{}'?", near.join("' or '"));
    }
    let words: Vec<&str> = words.into_iter().collect();
    match words.as_slice() {
        [] => "there is none here".to_owned(),
        [word] => format!("the only one is '{word}'"),
        words => format!("known are {}", words.join(", ")),
    }
}

/// The words that are nearest to `text`, if any are near: at most a third of its letters differ,
/// or one letter in a short one.
pub(crate) fn nearest<'word>(
    text: &str,
    words: impl IntoIterator<Item = &'word str>,
) -> Vec<&'word str> {
    let limit = (text.chars().count() / 3).max(1);
    let near: Vec<(usize, &str)> = words
        .into_iter()
        .filter(|word| word.chars().count() > 1)
        .map(|word| (distance(&text.to_lowercase(), &word.to_lowercase()), word))
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    let least = near.iter().map(|(distance, _)| *distance).min();
    near.into_iter()
        .filter(|(distance, _)| Some(*distance) == least)
        .map(|(_, word)| word)
        .collect()
}

/// How many letters must be put in, taken out, replaced or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().collect();
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut best = replaced.min(last[column + 1] + 1).min(next[column] + 1);
            let swapped =
                row > 0 && column > 0 && *letter == to[column - 1] && from[row - 1] == *other;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        let words = ["put", "get", "join_thread", "timeout"];
        for (text, word) in
            [("pit", "put"), ("gte", "get"), ("join-thread", "join_thread"), ("timout", "timeout")]
        {
            assert_eq!(one_of(text, words), format!("did you mean '{word}'?"));
        }
        assert_eq!(one_of("xyz", ["put", "get"]), "known are put, get");
    }
}
