//! Validation shared by several operations, one topic per file, each error raised beside its rule.
