//! CPU and memory of a task as users write them: `"1024"`, `"1 vCPU"`, `".25vcpu"`, `"512"`,
//! `"0.5 GB"`.
//!
//! The stored form is CPU units and MiB, as decimal text. Rule: API reference, TaskDefinition,
//! `cpu` and `memory`.

/// CPU units in one vCPU, and MiB in one GB as ECS counts them.
const PER_WHOLE: u128 = 1024;
/// More digits than any real size has; keeps the arithmetic inside `u128`.
const DIGITS_MAX: usize = 9;

/// CPU units of a text; `None` if it is no CPU size.
#[must_use]
pub fn cpu_units(text: &str) -> Option<u32> {
    size(text, "vcpu")
}

/// MiB of a text; `None` if it is no memory size.
#[must_use]
pub fn memory_mib(text: &str) -> Option<u32> {
    size(text, "gb")
}

fn size(text: &str, unit: &str) -> Option<u32> {
    let text = text.trim().to_ascii_lowercase();
    let Some(number) = text.strip_suffix(unit) else {
        return whole(&text).and_then(|n| u32::try_from(n).ok());
    };
    let number = number.trim_end();
    let (whole_part, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole_part.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = |part: &str| {
        if part.is_empty() {
            Some(0)
        } else {
            whole(part)
        }
    };
    let scale = 10u128.pow(u32::try_from(fraction.len()).ok()?.min(DIGITS_MAX as u32));
    let scaled = digits(whole_part)? * scale + digits(fraction)?;
    u32::try_from(scaled * PER_WHOLE / scale).ok()
}

fn whole(digits: &str) -> Option<u128> {
    let plain = (1..=DIGITS_MAX).contains(&digits.len());
    (plain && digits.bytes().all(|b| b.is_ascii_digit()))
        .then(|| digits.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes_are_read_as_users_write_them() {
        for (text, expected) in [
            ("1024", Some(1024)),
            (" 256 ", Some(256)),
            ("1 vCPU", Some(1024)),
            ("1vcpu", Some(1024)),
            (".25 vCPU", Some(256)),
            ("0.5 VCPU", Some(512)),
            ("16 vCPU", Some(16384)),
            ("", None),
            ("vCPU", None),
            (". vCPU", None),
            ("999999999.999999999 vCPU", None),
            ("0.1234567891 vCPU", None),
            ("-1", None),
            ("1.5", None),
            ("1,5 vCPU", None),
            ("+1", None),
            ("1 GB", None),
            ("99999999999", None),
        ] {
            assert_eq!(cpu_units(text), expected, "{text:?}");
        }
        for (text, expected) in [
            ("512", Some(512)),
            ("0.5GB", Some(512)),
            ("2 GB", Some(2048)),
            ("1 gb", Some(1024)),
            ("1 GiB", None),
            ("2 MB", None),
        ] {
            assert_eq!(memory_mib(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9.vVcCpPuU gGbB-]{0,24}") {
            let _ = (cpu_units(&text), memory_mib(&text));
        }

        #[test]
        fn the_stored_form_reads_as_itself(units in 0u32..200_000) {
            prop_assert_eq!(cpu_units(&units.to_string()), Some(units));
        }
    }
}
