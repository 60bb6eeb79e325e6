//! `wasi_snapshot_preview1` for commands: standard input, output and errors, the stubs' clock and randomness, and an answer to
//! all the rest, so that a command that looks for files or sockets finds none.
//!
//! WASI preview 1 (`wasi_snapshot_preview1.witx`). Descriptors 0, 1 and 2 are there and nothing else is.

use wasmtime::{Caller, Extern, Linker};

use super::runtime_stubs::MILLISECOND;
use crate::state::{State, Stop};

/// The module that commands import.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// All that preview 1 has.
pub(crate) const FUNCTIONS: &[&str] = &[
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_accept",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
];

/// `errno` values of preview 1.
const SUCCESS: i32 = 0;
const BADF: i32 = 8;
const FAULT: i32 = 21;
const INVAL: i32 = 28;
const NOTSUP: i32 = 58;
const SPIPE: i32 = 70;

/// The command's name, which some programs read before anything else.
const NAME: &[u8] = b"function\0";

/// Buffers of one read or write that are looked at.
const MOST_BUFFERS: u32 = 1024;
/// Subscriptions of one poll.
const MOST_SUBSCRIPTIONS: u32 = 4096;

/// Bytes of one write to standard errors that are taken.
const MOST_PRINTED: u32 = 64 << 10;

/// What a call came to: an `errno`, or the end of it all.
type Errno = wasmtime::Result<i32>;

/// The caller's memory, read and written within its bounds.
struct Memory<'a> {
    bytes: &'a mut [u8],
}

impl<'a> Memory<'a> {
    /// The memory that the command exports, and the store's data.
    fn of(caller: &'a mut Caller<'_, State>) -> wasmtime::Result<(Self, &'a mut State)> {
        let memory = caller.get_export("memory").and_then(Extern::into_memory);
        let memory = memory.ok_or_else(|| wasmtime::format_err!("the command exports no memory"))?;
        let (bytes, state) = memory.data_and_store_mut(caller);
        Ok((Self { bytes }, state))
    }

    fn slice(&mut self, at: u32, length: u32) -> Option<&mut [u8]> {
        let at = usize::try_from(at).ok()?;
        self.bytes.get_mut(at..at.checked_add(usize::try_from(length).ok()?)?)
    }

    fn put(&mut self, at: u32, bytes: &[u8]) -> i32 {
        match u32::try_from(bytes.len()).ok().and_then(|length| self.slice(at, length)) {
            Some(slice) => {
                slice.copy_from_slice(bytes);
                SUCCESS
            }
            None => FAULT,
        }
    }

    fn number<const N: usize>(&mut self, at: u32) -> Option<[u8; N]> {
        self.slice(at, u32::try_from(N).ok()?)?.try_into().ok()
    }

    fn word(&mut self, at: u32) -> Option<u32> {
        self.number(at).map(u32::from_le_bytes)
    }

    /// Address and length of each buffer of a list.
    fn buffers(&mut self, at: u32, count: u32) -> Option<Vec<(u32, u32)>> {
        let place = |index: u32| at.checked_add(index.checked_mul(8)?);
        let one = |index| Some((self.word(place(index)?)?, self.word(place(index)?.checked_add(4)?)?));
        (0..count.min(MOST_BUFFERS)).map(one).collect()
    }
}

fn write(mut caller: Caller<'_, State>, fd: i32, list: u32, count: u32, written: u32) -> Errno {
    let (mut memory, state) = Memory::of(&mut caller)?;
    state.count_call()?;
    if !matches!(fd, 1 | 2) {
        return Ok(BADF);
    }
    let Some(buffers) = memory.buffers(list, count) else { return Ok(FAULT) };
    let mut sum = 0_u32;
    for (at, length) in buffers {
        // What is written as an answer has a limit. Of anything else so much is taken at once, and the caller may try the rest.
        let length = if fd == 1 { length } else { length.min(MOST_PRINTED - sum) };
        let Some(bytes) = memory.slice(at, length) else { return Ok(FAULT) };
        if fd == 1 {
            state.answer(bytes)?;
        } else {
            state.print(bytes);
        }
        sum = sum.saturating_add(length);
    }
    Ok(memory.put(written, &sum.to_le_bytes()))
}

fn read(mut caller: Caller<'_, State>, fd: i32, list: u32, count: u32, read: u32) -> Errno {
    let (mut memory, state) = Memory::of(&mut caller)?;
    state.count_call()?;
    if fd != 0 {
        return Ok(BADF);
    }
    let Some(buffers) = memory.buffers(list, count) else { return Ok(FAULT) };
    let mut sum = 0;
    for (at, length) in buffers {
        let Some(buffer) = memory.slice(at, length) else { return Ok(FAULT) };
        sum += state.input.take(buffer);
    }
    Ok(memory.put(read, &u32::try_from(sum)?.to_le_bytes()))
}

fn clock(mut caller: Caller<'_, State>, id: i32, result: u32, read: impl Fn(&mut State) -> u64) -> Errno {
    let (mut memory, state) = Memory::of(&mut caller)?;
    state.count_call()?;
    // Realtime stands still; what counts a process's or a thread's time is as good as the monotonic clock.
    let time = match id {
        0 => 0,
        1..=3 => read(state),
        _ => return Ok(INVAL),
    };
    Ok(memory.put(result, &time.to_le_bytes()))
}

/// Sleeps until the first subscription is due, without sleeping; reading and writing are always possible.
fn poll(mut caller: Caller<'_, State>, list: u32, events: u32, count: u32, stored: u32) -> Errno {
    const SUBSCRIPTION: u32 = 48;
    const EVENT: u32 = 32;
    let (mut memory, state) = Memory::of(&mut caller)?;
    state.count_call()?;
    if count == 0 || count > MOST_SUBSCRIPTIONS {
        return Ok(INVAL);
    }
    let mut waits = Vec::new();
    for index in 0..count {
        let at = list.wrapping_add(index.wrapping_mul(SUBSCRIPTION));
        let Some(subscription) = memory.number::<48>(at) else { return Ok(FAULT) };
        let word = |at: usize| -> u64 {
            subscription.iter().skip(at).take(8).rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let (userdata, kind) = (word(0), subscription[8]);
        let wait = match kind {
            // The clock's id, its time, and whether that is a point in time.
            0 if subscription[40] & 1 == 1 => {
                let realtime = word(16).to_le_bytes()[..4] == [0; 4];
                let now = if realtime { 0 } else { state.stubs.now() };
                word(24).saturating_sub(now)
            }
            0 => word(24),
            1 | 2 => 0,
            _ => return Ok(INVAL),
        };
        waits.push((wait, userdata, kind));
    }
    let first = waits.iter().map(|(wait, ..)| *wait).min().unwrap_or(0);
    state.wait(first)?;
    let mut ready = 0_u32;
    for (_, userdata, kind) in waits.into_iter().filter(|(wait, ..)| *wait == first) {
        let mut event = [0_u8; EVENT as usize];
        event[..8].copy_from_slice(&userdata.to_le_bytes());
        event[10] = kind;
        if memory.put(events.wrapping_add(ready * EVENT), &event) != SUCCESS {
            return Ok(FAULT);
        }
        ready += 1;
    }
    Ok(memory.put(stored, &ready.to_le_bytes()))
}

fn stat(mut caller: Caller<'_, State>, fd: i32, result: u32) -> Errno {
    let (mut memory, state) = Memory::of(&mut caller)?;
    state.count_call()?;
    if !(0..=2).contains(&fd) {
        return Ok(BADF);
    }
    // A character device that may be read (right 1) or written (right 6).
    let mut fdstat = [0_u8; 24];
    fdstat[0] = 2;
    fdstat[8] = if fd == 0 { 1 << 1 } else { 1 << 6 };
    Ok(memory.put(result, &fdstat))
}

fn file_stat(mut caller: Caller<'_, State>, fd: i32, result: u32) -> Errno {
    let (mut memory, state) = Memory::of(&mut caller)?;
    state.count_call()?;
    if !(0..=2).contains(&fd) {
        return Ok(BADF);
    }
    let mut filestat = [0_u8; 64];
    filestat[16] = 2;
    Ok(memory.put(result, &filestat))
}

/// Adds all of preview 1.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type C<'a> = Caller<'a, State>;
    fn counted(mut caller: C<'_>, errno: i32) -> Errno {
        caller.data_mut().count_call()?;
        Ok(errno)
    }
    /// A descriptor that is there cannot do it; another is not there.
    fn unable(caller: C<'_>, fd: i32, errno: i32) -> Errno {
        counted(caller, if (0..=2).contains(&fd) { errno } else { BADF })
    }
    fn put(mut caller: C<'_>, values: &[(u32, &[u8])]) -> Errno {
        let (mut memory, state) = Memory::of(&mut caller)?;
        state.count_call()?;
        let failed = values.iter().map(|(at, bytes)| memory.put(*at, bytes)).find(|errno| *errno != SUCCESS);
        Ok(failed.unwrap_or(SUCCESS))
    }
    let zero = &[0_u8; 4];
    let name_length = &[9_u8, 0, 0, 0];
    linker
        .func_wrap(MODULE, "args_sizes_get", move |c: C<'_>, count: u32, size: u32| {
            put(c, &[(count, &[1, 0, 0, 0]), (size, name_length)])
        })?
        .func_wrap(MODULE, "args_get", |c: C<'_>, list: u32, text: u32| {
            put(c, &[(list, &text.to_le_bytes()), (text, NAME)])
        })?
        .func_wrap(MODULE, "environ_sizes_get", move |c: C<'_>, count: u32, size: u32| {
            put(c, &[(count, zero), (size, zero)])
        })?
        .func_wrap(MODULE, "environ_get", |c: C<'_>, _: u32, _: u32| counted(c, SUCCESS))?
        .func_wrap(MODULE, "clock_res_get", |c: C<'_>, id: i32, result: u32| {
            clock(c, id, result, |_| MILLISECOND)
        })?
        .func_wrap(MODULE, "clock_time_get", |c: C<'_>, id: i32, _: u64, result: u32| {
            clock(c, id, result, |state| state.stubs.read_clock())
        })?
        .func_wrap(MODULE, "fd_write", write)?
        .func_wrap(MODULE, "fd_read", read)?
        .func_wrap(MODULE, "fd_fdstat_get", stat)?
        .func_wrap(MODULE, "fd_filestat_get", file_stat)?
        .func_wrap(MODULE, "fd_close", |c: C<'_>, fd: i32| unable(c, fd, SUCCESS))?
        .func_wrap(MODULE, "fd_sync", |c: C<'_>, fd: i32| unable(c, fd, SUCCESS))?
        .func_wrap(MODULE, "fd_datasync", |c: C<'_>, fd: i32| unable(c, fd, SUCCESS))?
        .func_wrap(MODULE, "fd_fdstat_set_flags", |c: C<'_>, fd: i32, _: i32| unable(c, fd, SUCCESS))?
        .func_wrap(MODULE, "fd_fdstat_set_rights", |c: C<'_>, fd: i32, _: u64, _: u64| {
            unable(c, fd, SUCCESS)
        })?
        .func_wrap(MODULE, "fd_advise", |c: C<'_>, fd: i32, _: u64, _: u64, _: i32| unable(c, fd, SPIPE))?
        .func_wrap(MODULE, "fd_allocate", |c: C<'_>, fd: i32, _: u64, _: u64| unable(c, fd, SPIPE))?
        .func_wrap(MODULE, "fd_filestat_set_size", |c: C<'_>, fd: i32, _: u64| unable(c, fd, INVAL))?
        .func_wrap(MODULE, "fd_filestat_set_times", |c: C<'_>, fd: i32, _: u64, _: u64, _: i32| {
            unable(c, fd, NOTSUP)
        })?
        .func_wrap(MODULE, "fd_pread", |c: C<'_>, fd: i32, _: u32, _: u32, _: u64, _: u32| {
            unable(c, fd, SPIPE)
        })?
        .func_wrap(MODULE, "fd_pwrite", |c: C<'_>, fd: i32, _: u32, _: u32, _: u64, _: u32| {
            unable(c, fd, SPIPE)
        })?
        .func_wrap(MODULE, "fd_seek", |c: C<'_>, fd: i32, _: u64, _: i32, _: u32| unable(c, fd, SPIPE))?
        .func_wrap(MODULE, "fd_tell", |c: C<'_>, fd: i32, _: u32| unable(c, fd, SPIPE))?
        .func_wrap(MODULE, "fd_prestat_get", |c: C<'_>, _: i32, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "fd_prestat_dir_name", |c: C<'_>, _: i32, _: u32, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "fd_readdir", |c: C<'_>, _: i32, _: u32, _: u32, _: u64, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "fd_renumber", |c: C<'_>, _: i32, _: i32| counted(c, BADF))?
        .func_wrap(MODULE, "path_create_directory", |c: C<'_>, _: i32, _: u32, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "path_filestat_get", |c: C<'_>, _: i32, _: i32, _: u32, _: u32, _: u32| {
            counted(c, BADF)
        })?
        .func_wrap(
            MODULE,
            "path_filestat_set_times",
            |c: C<'_>, _: i32, _: i32, _: u32, _: u32, _: u64, _: u64, _: i32| counted(c, BADF),
        )?
        .func_wrap(
            MODULE,
            "path_link",
            |c: C<'_>, _: i32, _: i32, _: u32, _: u32, _: i32, _: u32, _: u32| counted(c, BADF),
        )?
        .func_wrap(
            MODULE,
            "path_open",
            |c: C<'_>, _: i32, _: i32, _: u32, _: u32, _: i32, _: u64, _: u64, _: i32, _: u32| {
                counted(c, BADF)
            },
        )?
        .func_wrap(MODULE, "path_readlink", |c: C<'_>, _: i32, _: u32, _: u32, _: u32, _: u32, _: u32| {
            counted(c, BADF)
        })?
        .func_wrap(MODULE, "path_remove_directory", |c: C<'_>, _: i32, _: u32, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "path_rename", |c: C<'_>, _: i32, _: u32, _: u32, _: i32, _: u32, _: u32| {
            counted(c, BADF)
        })?
        .func_wrap(MODULE, "path_symlink", |c: C<'_>, _: u32, _: u32, _: i32, _: u32, _: u32| {
            counted(c, BADF)
        })?
        .func_wrap(MODULE, "path_unlink_file", |c: C<'_>, _: i32, _: u32, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "poll_oneoff", poll)?
        .func_wrap(MODULE, "proc_exit", |mut c: C<'_>, code: i32| -> wasmtime::Result<()> {
            c.data_mut().exit_code = Some(code);
            c.data_mut().end(Stop::Exit)
        })?
        .func_wrap(MODULE, "proc_raise", |mut c: C<'_>, _: i32| -> Errno { c.data_mut().end(Stop::Exit) })?
        .func_wrap(MODULE, "sched_yield", |c: C<'_>| counted(c, SUCCESS))?
        .func_wrap(MODULE, "random_get", |mut c: C<'_>, at: u32, length: u32| -> Errno {
            let (mut memory, state) = Memory::of(&mut c)?;
            let bytes = state.random_bytes(u64::from(length))?;
            Ok(memory.put(at, &bytes))
        })?
        .func_wrap(MODULE, "sock_accept", |c: C<'_>, _: i32, _: i32, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "sock_recv", |c: C<'_>, _: i32, _: u32, _: u32, _: i32, _: u32, _: u32| {
            counted(c, BADF)
        })?
        .func_wrap(MODULE, "sock_send", |c: C<'_>, _: i32, _: u32, _: u32, _: i32, _: u32| counted(c, BADF))?
        .func_wrap(MODULE, "sock_shutdown", |c: C<'_>, _: i32, _: i32| counted(c, BADF))?;
    Ok(())
}
