//! The built-in `longshore/hello` web server.

fn main() {}
