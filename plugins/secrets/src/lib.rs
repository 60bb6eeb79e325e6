//! Built-in plugin: secret references become tokens.
