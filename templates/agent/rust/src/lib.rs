//! What the host calls: the exports of `wit/agent.wit`, flattened after the canonical ABI. There is nothing to change here.

mod abi;
mod agent;
mod json;

use abi::{Body, Event, LiftedResult, StepResult, TaskInput};
use std::alloc::{Layout, alloc, realloc};
use std::slice::from_raw_parts;

/// Room for what the host writes.
///
/// # Safety
/// `old` is null with size 0, or was returned from here with that size and alignment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, alignment: usize, size: usize) -> *mut u8 {
    if size == 0 {
        return alignment as *mut u8;
    }
    unsafe {
        if old_size == 0 {
            alloc(Layout::from_size_align_unchecked(size, alignment))
        } else {
            realloc(old, Layout::from_size_align_unchecked(old_size, alignment), size)
        }
    }
}

/// `body` is 0 for a task (payload, features) and 1 for effect results (a list; the last two parameters are unused).
///
/// # Safety
/// The pointers are the host's, into memory that it had from `cabi_realloc`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn step(
    state: *const u8,
    state_length: usize,
    turn: u32,
    seed: u64,
    time: u64,
    body: u32,
    first: *const u8,
    first_length: usize,
    second: *const f64,
    second_length: usize,
) -> *const StepResult {
    unsafe {
        let body = if body == 0 {
            let features = from_raw_parts(second, second_length);
            Body::Start(TaskInput { payload: abi::text(first, first_length), features })
        } else {
            let results = from_raw_parts(first.cast::<LiftedResult>(), first_length);
            Body::Results(results.iter().map(|result| result.lift()).collect())
        };
        agent::step(from_raw_parts(state, state_length), &Event { turn, seed, time, body }).lower()
    }
}
