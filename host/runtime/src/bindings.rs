//! The contract of wit/transform/v0.1 from the host's side, and WASI's interfaces that runtimes drag in.
#![allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated code")]
#![allow(clippy::all, clippy::pedantic, clippy::allow_attributes_without_reason, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit/transform/v0.1",
    world: "lathe:transform/full",
    imports: { default: trappable },
});

pub(crate) mod stubs {
    wasmtime::component::bindgen!({
        path: "wit",
        world: "lathe:stubs/stubs",
        imports: { default: trappable },
        with: {
            "wasi:io/error.error": crate::capability::runtime_stubs::IoError,
            "wasi:io/poll.pollable": crate::capability::runtime_stubs::Pollable,
            "wasi:io/streams.input-stream": crate::capability::runtime_stubs::Input,
            "wasi:io/streams.output-stream": crate::capability::runtime_stubs::Output,
        },
    });
}
