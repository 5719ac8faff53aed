//! Processor time and memory, as Linux tells them.

use std::fs;
use std::str::FromStr;

/// The unit of `/proc`'s times (`getconf CLK_TCK`): the same on every Linux that matters.
const TICKS: f64 = 100.0;

/// The processor time of this process, in seconds.
pub(crate) fn own_cpu() -> f64 {
    cpu("self").0
}

/// The most memory this process ever had, in megabytes.
pub(crate) fn own_memory() -> u64 {
    peak("self")
}

/// The processor time of a server and all of its processes, dead ones included, in seconds.
pub(crate) fn cpu_with_children(pid: u32) -> f64 {
    let (own, reaped) = cpu(&pid.to_string());
    children(pid).iter().map(|child| cpu(&child.to_string()).0).sum::<f64>() + own + reaped
}

/// The bytes that a process has written, to files nearly all of them. What the kernel says goes to a disk (`write_bytes`)
/// was up to ten times as much, and more or less with how the same file had been made.
#[cfg(feature = "peers")]
pub(crate) fn bytes_written(pid: u32) -> f64 {
    number(&format!("/proc/{pid}/io"), "wchar:")
}

/// The memory that a server's processes have to themselves, in megabytes. A page that a fork still shares counts once;
/// what they map together does not count, even where only one of them has looked at it.
pub(crate) fn own_memory_of_all(pid: u32) -> u64 {
    let kilobytes = |pid: u32| number::<u64>(&format!("/proc/{pid}/smaps_rollup"), "Pss_Anon:");
    (children(pid).into_iter().map(kilobytes).sum::<u64>() + kilobytes(pid)) / 1_024
}

/// The parent of a process.
pub(crate) fn parent_of(pid: i32) -> Option<u32> {
    fields(&pid.to_string())?.get(1)?.parse().ok()
}

fn children(pid: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|child| i32::try_from(*child).ok().and_then(parent_of) == Some(pid)).collect()
}

/// What it took itself, and what its children took that are dead.
fn cpu(pid: &str) -> (f64, f64) {
    let fields = fields(pid).unwrap_or_default();
    let seconds =
        |index: usize| fields.get(index).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0) / TICKS;
    (seconds(11) + seconds(12), seconds(13) + seconds(14))
}

/// The fields of `/proc/PID/stat` after the name: state, parent, …
fn fields(pid: &str) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_name, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn peak(pid: &str) -> u64 {
    number::<u64>(&format!("/proc/{pid}/status"), "VmHWM:") / 1_024
}

/// The number behind a name in one of `/proc`'s files: none of a process that has ended.
fn number<T: FromStr + Default>(file: &str, name: &str) -> T {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok()).unwrap_or_default()
}
