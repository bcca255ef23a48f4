//! What a task definition means: its stored normal form, what is computed from it, its names.
