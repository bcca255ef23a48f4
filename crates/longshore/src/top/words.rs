//! Small texts of a frame: ages, bars, wrapped lines.

use aws_types::Timestamp;

/// How long ago, in the largest unit of which there is one.
pub fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(since).as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `HH:MM:SS` of a moment, UTC.
pub fn clock(at: Timestamp) -> String {
    at.iso8601().chars().skip(11).take(8).collect()
}

/// A bar of `width` cells: what runs, what is on its way, what is missing. Of nothing wanted it is
/// full: nothing is missing.
pub fn bar(running: i32, pending: i32, desired: i32, width: usize) -> String {
    let cells = |tasks: i32| {
        let tasks = usize::try_from(tasks.clamp(0, desired.max(0))).unwrap_or(0);
        match usize::try_from(desired) {
            Ok(desired @ 1..) => tasks * width / desired,
            _ => width,
        }
    };
    let full = cells(running);
    let begun = cells(running.saturating_add(pending)) - full;
    let left = width - full - begun;
    format!(
        "{}{}{}",
        "█".repeat(full),
        "▒".repeat(begun),
        "·".repeat(left)
    )
}

/// The first `len` characters, with a mark where something is left out.
pub fn cut(text: &str, len: usize) -> String {
    match text.chars().count() > len {
        true => text
            .chars()
            .take(len.saturating_sub(1))
            .chain(['…'])
            .collect(),
        false => text.to_owned(),
    }
}

/// The text in lines of at most `width` characters; a longer word is cut.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = cut(word, width);
        let last = lines.last_mut().expect("there is always one");
        if last.is_empty() {
            *last = word;
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_told_in_the_largest_unit() {
        let now = Timestamp::from_millis(1_000_000_000);
        for (millis, expected) in [
            (0, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (3_600_000, "1h"),
            (200_000_000, "2d"),
            (-5_000, "0s"),
        ] {
            let since = Timestamp::from_millis(1_000_000_000 - millis);
            assert_eq!(age(since, now), expected);
        }
    }

    #[test]
    fn a_bar_has_its_width_whatever_the_counts_are() {
        for (running, pending, desired, expected) in [
            (2, 1, 4, "████▒▒··"),
            (0, 0, 3, "········"),
            (9, 9, 4, "████████"),
            (0, 0, 0, "████████"),
            (3, 0, 3, "████████"),
            (-1, 0, -1, "████████"),
        ] {
            assert_eq!(bar(running, pending, desired, 8), expected);
        }
    }

    #[test]
    fn long_texts_are_wrapped_at_words_and_long_words_cut() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 5), ["abcd…", "k"]);
        assert_eq!(wrapped("", 5), [""]);
        assert_eq!(cut("abc", 3), "abc");
    }
}
