//! Container images: references, registries, layers on disk.
