//! One field of a cron expression that names a set of numbers.

/// What a field may hold.
pub(super) struct Domain {
    pub min: u32,
    pub max: u32,
    /// Names of the first numbers, from `min` on.
    pub names: &'static [&'static str],
}

impl Domain {
    /// A number or a name.
    pub(super) fn one(&self, text: &str) -> Option<u32> {
        let named = self
            .names
            .iter()
            .position(|name| name.eq_ignore_ascii_case(text));
        let number = match named {
            Some(at) => self.min + u32::try_from(at).ok()?,
            None => number(text)?,
        };
        (self.min..=self.max).contains(&number).then_some(number)
    }

    /// `*`, `a`, `a-b`, and each of them with `/step`: its numbers, in order.
    pub(super) fn item(&self, text: &str) -> Option<Vec<u32>> {
        let (span, step) = match text.split_once('/') {
            Some((span, step)) => (span, Some(number(step).filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (from, to) = match (span, span.split_once('-')) {
            ("*", _) => (self.min, self.max),
            (_, Some((from, to))) => (self.one(from)?, self.one(to)?),
            // With a step, a single number is where it begins.
            (one, None) if step.is_some() => (self.one(one)?, self.max),
            (one, None) => (self.one(one)?, self.one(one)?),
        };
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        (from <= to).then(|| (from..=to).step_by(step).collect())
    }

    /// A list of such, in order, each once.
    pub(super) fn set(&self, text: &str) -> Option<Vec<u32>> {
        let mut all = Vec::new();
        for item in text.split(',') {
            all.extend(self.item(item)?);
        }
        all.sort_unstable();
        all.dedup();
        Some(all)
    }
}

/// Digits only: no sign, no space.
pub(super) fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten()
}
