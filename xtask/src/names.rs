//! Names of the wire made into names of Rust.

const KEYWORDS: [&str; 37] = [
    "as", "async", "await", "break", "const", "continue", "dyn", "else", "enum", "extern", "false",
    "fn", "for", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut", "pub", "ref",
    "return", "static", "struct", "trait", "true", "type", "unsafe", "use", "where", "while",
    "gen", "try", "yield",
];

/// `enableECSManagedTags` -> `enable_ecs_managed_tags`; a keyword gets `r#`.
pub fn field(name: &str) -> String {
    let snake = words(name).to_lowercase();
    if KEYWORDS.contains(&snake.as_str()) {
        format!("r#{snake}")
    } else {
        snake
    }
}

/// `RunTaskRequest` -> `RUN_TASK_REQUEST`.
pub fn constant(name: &str) -> String {
    words(name).to_uppercase()
}

fn words(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut text = String::new();
    for (i, letter) in letters.iter().enumerate() {
        let next_is_lower = letters.get(i + 1).is_some_and(char::is_ascii_lowercase);
        let after = i.checked_sub(1).map(|before| letters[before]);
        let starts_word = after.is_some_and(|before| {
            before.is_ascii_lowercase()
                || before.is_ascii_digit()
                || (before.is_ascii_uppercase() && next_is_lower)
        });
        if letter.is_ascii_uppercase() && starts_word {
            text.push('_');
        }
        text.push(if letter.is_ascii_alphanumeric() {
            *letter
        } else {
            '_'
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_where_a_person_would_cut_them() {
        for (wire, rust) in [
            ("containerInstanceArn", "container_instance_arn"),
            ("enableECSManagedTags", "enable_ecs_managed_tags"),
            ("bindIP", "bind_ip"),
            ("ipv6Address", "ipv6_address"),
            ("UserId", "user_id"),
            ("type", "r#type"),
        ] {
            assert_eq!(field(wire), rust);
        }
        assert_eq!(constant("LaunchType"), "LAUNCH_TYPE");
        assert_eq!(
            constant("ClusterNotFoundException"),
            "CLUSTER_NOT_FOUND_EXCEPTION"
        );
    }
}
