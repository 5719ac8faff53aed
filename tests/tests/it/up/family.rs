//! Processes, as the system lists them.

use std::process::Command;

/// Each process that lives, and which one it comes from. One that has ended and that nobody has asked after yet is none.
fn living() -> Vec<(u32, u32)> {
    let listed = Command::new("ps").args(["-eo", "pid=,ppid=,stat="]).output().expect("ps runs");
    let living = |line: &str| {
        let mut columns = line.split_whitespace();
        let (pid, parent, state) = (columns.next()?, columns.next()?, columns.next()?);
        if state.starts_with('Z') { None } else { Some((pid.parse().ok()?, parent.parse().ok()?)) }
    };
    String::from_utf8_lossy(&listed.stdout).lines().filter_map(living).collect()
}

/// A process and all that come from it.
pub(super) fn with_descendants(pid: u32) -> Vec<u32> {
    let (living, mut family, mut asked) = (living(), vec![pid], 0);
    while let Some(parent) = family.get(asked).copied() {
        family.extend(living.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| pid));
        asked += 1;
    }
    family
}

/// Those of these processes that live.
pub(super) fn alive(pids: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let living = living();
    pids.into_iter().filter(|pid| living.iter().any(|(one, _)| one == pid)).collect()
}
