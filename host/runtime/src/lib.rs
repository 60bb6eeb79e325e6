//! The sandbox: runs WebAssembly transform components under limits and grants.
