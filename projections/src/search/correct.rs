//! Correcting what was typed by the words that there are: one typo in a word of four letters or more, two from eight
//! on; a letter too many, too few, another, or two swapped (optimal string alignment).

/// The nearest word that `typed` may have meant, as it is or as the beginning of a longer word; nothing when none is
/// near, or `typed` is right.
pub(super) fn nearest<'a>(typed: &str, words: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: Vec<char> = typed.chars().collect();
    let allowed = match typed.len() {
        0..=3 => return None,
        4..=7 => 1,
        _ => 2,
    };
    let distances = words.into_iter().map(|word| (distance(&typed, word, allowed), word));
    let near = distances.filter_map(|(distance, word)| Some((distance?, word)));
    near.min().map(|(_, word)| word)
}

/// How many typos lie between them; nothing when more than `allowed`.
fn distance(typed: &[char], word: &str, allowed: usize) -> Option<usize> {
    let word: Vec<char> = word.chars().collect();
    if word.len().abs_diff(typed.len()) > allowed {
        return None;
    }
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=word.len()).collect());
    for (row, letter) in typed.iter().enumerate() {
        let mut this = vec![row + 1];
        for (column, other) in word.iter().enumerate() {
            let replaced = last[column] + usize::from(letter != other);
            let mut cheapest = replaced.min(last[column + 1] + 1).min(this[column] + 1);
            let swapped = row > 0 && column > 0 && typed[row - 1] == *other && *letter == word[column - 1];
            if swapped {
                cheapest = cheapest.min(before[column - 1] + 1);
            }
            this.push(cheapest);
        }
        if this.iter().min().is_none_or(|least| *least > allowed) {
            return None;
        }
        before = std::mem::replace(&mut last, this);
    }
    last.last().copied().filter(|distance| *distance <= allowed)
}
