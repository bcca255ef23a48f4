//! The API's operations, one file each, and the table of them; nothing else.
