//! The built-in plugins as WebAssembly components, with their digests.
