//! Guests that no compiler would make: written as WebAssembly text, with the contract's interface put around it.

use wasm_encoder::{
    CodeSection, ExportKind, ExportSection, Function, FunctionSection, Instruction, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: [(&str, &str); 3] = [
    ("types.wit", include_str!("../../../wit/transform/v0.1/types.wit")),
    ("imports.wit", include_str!("../../../wit/transform/v0.1/imports.wit")),
    ("worlds.wit", include_str!("../../../wit/transform/v0.1/worlds.wit")),
];

/// A world of the contract's exports alone.
const BARE: &str = "world bare { include pure; }";

/// Makes a component of a core module for a world that is given as text within the package. `version` takes the place of the
/// contract's.
fn component(module: &[u8], world: &str, version: &str) -> Vec<u8> {
    let name = world.split_whitespace().nth(1).expect("a world has a name");
    let mut text = String::from("package lathe:transform@0.1.0;\n");
    for (_, file) in CONTRACT {
        text.push_str(file.trim_start_matches("package lathe:transform@0.1.0;"));
    }
    text.push_str(world);
    let mut resolve = Resolve::default();
    let package =
        resolve.push_str("crafted.wit", &text.replace("0.1.0", version)).expect("the contract is WIT");
    let world = resolve.select_world(&[package], Some(name)).expect("the world is there");
    let mut module = module.to_vec();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)
        .expect("the module takes it");
    let mut encoder = ComponentEncoder::default().module(&module).expect("the module fits the world");
    encoder.encode().expect("the component can be written")
}

/// A guest whose `describe` and `transform` are these instructions, with this data from address 1024 on.
fn guest(describe: &str, transform: &str, data: &str, pages: u32, world: &str, version: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  (memory (export "memory") {pages})
  (global $next (mut i32) (i32.const {heap}))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
    (global.set $next (i32.add (local.get $at) (local.get 3)))
    (local.get $at))
  (func (export "lathe:transform/descriptor@{version}#describe") (result i32) {describe})
  (func (export "lathe:transform/transformer@{version}#transform")
    (param i32 i32 i32 i32 i32 i32) (result i32) (local $i i32) {transform})
  (data (i32.const 1024) "{data}"))"#,
        // Requests of these tests are small.
        heap = pages * 65_536 - 65_536,
    );
    component(&self::text(&text), world, version)
}

/// `{"name":"crafted","scope":"set"}` at 1056, and at 1024 where it is.
const DESCRIPTOR: &str =
    r#"\20\04\00\00\21\00\00\00________________________{\"name\":\"crafted\",\"scope\":\"set\"} "#;
const DESCRIBE: &str = "(i32.const 1024)";

/// An answer at 2048: edits at `edits`, so many; findings at `findings`, so many.
fn answer(edits: (u32, u32), findings: (u32, u32)) -> String {
    let store = |at: u32, value: u32| format!("(i32.store (i32.const {at}) (i32.const {value}))");
    format!(
        "(i32.store8 (i32.const 2048) (i32.const 0)) {} {} {} {} (i32.const 2048)",
        store(2052, edits.0),
        store(2056, edits.1),
        store(2060, findings.0),
        store(2064, findings.1)
    )
}

/// Returns 200 edits whose texts are all the same 10 MB of its memory.
pub fn aliasing() -> Vec<u8> {
    let transform = format!(
        r"(memory.fill (i32.const 65536) (i32.const 97) (i32.const 10000000))
  (loop $more
    (i32.store8 (i32.add (i32.const 4096) (i32.mul (local.get $i) (i32.const 24))) (i32.const 0))
    (i32.store (i32.add (i32.const 4112) (i32.mul (local.get $i) (i32.const 24))) (i32.const 65536))
    (i32.store (i32.add (i32.const 4116) (i32.mul (local.get $i) (i32.const 24))) (i32.const 10000000))
    (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 200))))
  {}",
        answer((4096, 200), (0, 0))
    );
    guest(DESCRIBE, &transform, DESCRIPTOR, 200, BARE, "0.1.0")
}

/// Returns a finding whose message is no UTF-8.
pub fn invalid_utf8() -> Vec<u8> {
    let transform = format!(
        "(i32.store8 (i32.const 3000) (i32.const 255)) (i32.store (i32.const 4108) (i32.const 3000))
         (i32.store (i32.const 4112) (i32.const 1)) {}",
        answer((0, 0), (4096, 1))
    );
    guest(DESCRIBE, &transform, DESCRIPTOR, 2, BARE, "0.1.0")
}

/// Sets the first object's `data` to what is no JSON.
pub fn invalid_json() -> Vec<u8> {
    let transform = format!(
        r"(i32.store8 (i32.const 4096) (i32.const 0))
  (i64.store (i32.const 3000) (i64.const 0x617461642f)) (i32.store8 (i32.const 3010) (i32.const 123))
  (i32.store (i32.const 4104) (i32.const 3000)) (i32.store (i32.const 4108) (i32.const 5))
  (i32.store (i32.const 4112) (i32.const 3010)) (i32.store (i32.const 4116) (i32.const 1)) {}",
        answer((4096, 1), (0, 0))
    );
    guest(DESCRIBE, &transform, DESCRIPTOR, 2, BARE, "0.1.0")
}

/// Asks for nothing and does nothing.
pub fn pure() -> Vec<u8> {
    guest(DESCRIBE, &answer((0, 0), (0, 0)), DESCRIPTOR, 2, BARE, "0.1.0")
}

/// Returns a variant that the contract does not have.
pub fn invalid_variant() -> Vec<u8> {
    let transform = format!("(i32.store8 (i32.const 4096) (i32.const 77)) {}", answer((4096, 1), (0, 0)));
    guest(DESCRIBE, &transform, DESCRIPTOR, 2, BARE, "0.1.0")
}

/// Returns a list that reaches beyond its memory.
pub fn out_of_bounds() -> Vec<u8> {
    guest(DESCRIBE, &answer((0x00ff_fff8, 1000), (0, 0)), DESCRIPTOR, 2, BARE, "0.1.0")
}

/// Traps when it is asked what it is.
pub fn trap_in_describe() -> Vec<u8> {
    guest("unreachable", &answer((0, 0), (0, 0)), DESCRIPTOR, 2, BARE, "0.1.0")
}

/// Exports the interfaces of another version of the contract.
pub fn other_version() -> Vec<u8> {
    guest(DESCRIBE, &answer((0, 0), (0, 0)), DESCRIPTOR, 2, BARE, "0.2.0")
}

/// Imports what no plugin may have.
pub fn forbidden_import() -> Vec<u8> {
    const WORLD: &str = "world reaching { import egress: interface { send: func(); } import other; export descriptor; export transformer; }
        interface other { run: func(); }";
    let text = r#"(module
  (import "lathe:transform/other@0.1.0" "run" (func $run))
  (memory (export "memory") 2)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "lathe:transform/descriptor@0.1.0#describe") (result i32) (call $run) (i32.const 1024))
  (func (export "lathe:transform/transformer@0.1.0#transform") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 2048)))"#;
    component(&self::text(text), WORLD, "0.1.0")
}

/// Asks for a table of so many elements.
pub fn large_table(elements: u32) -> Vec<u8> {
    let text = format!(
        r#"(module
  (table {elements} funcref)
  (memory (export "memory") 2)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "lathe:transform/descriptor@0.1.0#describe") (result i32) (i32.const 1024))
  (func (export "lathe:transform/transformer@0.1.0#transform") (param i32 i32 i32 i32 i32 i32) (result i32) (i32.const 2048)))"#
    );
    component(&self::text(&text), BARE, "0.1.0")
}

/// Takes minutes to compile: functions as long as they may be, each a chain of values that all live to its end.
pub fn compile_bomb() -> Vec<u8> {
    const FUNCTIONS: u32 = 40;
    const STEPS: u32 = 400_000;
    let mut types = TypeSection::new();
    types.ty().function([], []);
    let mut functions = FunctionSection::new();
    let mut code = CodeSection::new();
    for _ in 0..FUNCTIONS {
        functions.function(0);
        let mut body = Function::new([(1, ValType::I64)]);
        for step in 0..STEPS {
            body.instruction(&Instruction::LocalGet(0));
            body.instruction(&Instruction::I64Const(i64::from(step)));
            body.instruction(&Instruction::I64Mul);
            body.instruction(&Instruction::LocalSet(0));
        }
        body.instruction(&Instruction::End);
        code.function(&body);
    }
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut exports = ExportSection::new();
    exports.export("memory", ExportKind::Memory, 0).export("_start", ExportKind::Func, 0);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&memories).section(&exports).section(&code);
    module.finish()
}

/// A command that answers with what it was given, copied until its input ends.
pub fn krm_echo() -> Vec<u8> {
    krm(
        r"(loop $more
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (if (i32.load (i32.const 8)) (then
      (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
      (i32.store (i32.const 4) (i32.const 65000))
      (br $more))))",
        "",
    )
}

/// A command that writes this text to standard output and errors, and ends with this code.
pub fn krm_says(text: &str, code: u32) -> Vec<u8> {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    krm(
        &format!(
            "(i32.store (i32.const 4) (i32.const {}))
         (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
         (drop (call $write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 12)))
         (call $exit (i32.const {code}))",
            text.len()
        ),
        &escaped,
    )
}

/// A command that writes to standard errors 1024 times its whole memory at once, again and again.
pub fn krm_prints() -> Vec<u8> {
    krm(
        r"(local $i i32)
  (drop (memory.grow (i32.const 512)))
  (loop $more
    (i32.store (i32.add (i32.const 1024) (i32.mul (local.get $i) (i32.const 8))) (i32.const 0))
    (i32.store (i32.add (i32.const 1028) (i32.mul (local.get $i) (i32.const 8))) (i32.const 33554432))
    (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 1024))))
  (loop $again
    (drop (call $write (i32.const 2) (i32.const 1024) (i32.const 1024) (i32.const 12)))
    (br $again))",
        "",
    )
}

fn krm(start: &str, data: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 0) "\10\00\00\00\e8\fd\00\00") (data (i32.const 16) "{data}")
  (func (export "_start") {start}))"#
    );
    self::text(&text)
}

/// A core module from its text.
///
/// # Panics
///
/// Where the text is no WebAssembly.
pub fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is WebAssembly")
}
