//! What the process itself has used, by the names that Prometheus' clients agree on.
//! <https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>

use metrics::{Unit, counter, describe_counter, describe_gauge, gauge};

const CPU_SECONDS: &str = "process_cpu_seconds_total";
const RESIDENT: &str = "process_resident_memory_bytes";
const OPEN_FILES: &str = "process_open_fds";
const MOST_FILES: &str = "process_max_fds";
const THREADS: &str = "process_threads";
const BUILD: &str = "voxline_build_info";

/// Says once what the figures are, and what this program is.
pub(super) fn describe() {
    describe_gauge!(
        CPU_SECONDS,
        Unit::Seconds,
        "Processor time used, by the user and the system."
    );
    describe_gauge!(RESIDENT, Unit::Bytes, "Memory that is resident.");
    describe_gauge!(OPEN_FILES, "Files and sockets that are open.");
    describe_gauge!(MOST_FILES, "Files and sockets that may be open.");
    describe_gauge!(THREADS, "Threads.");
    describe_counter!(
        "voxline_log_lines_left_out_total",
        "Lines of the log that were too many of one kind in a minute."
    );
    describe_gauge!(BUILD, "Always 1; the labels say which program this is.");
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION"), "profile" => profile).set(1.0);
    counter!("voxline_log_lines_left_out_total").increment(0);
}

/// Reads the figures as they are now.
#[cfg(target_os = "linux")]
pub(super) fn read() {
    // Where /proc is not mounted there are no figures, and nothing else is wrong.
    let Ok(process) = procfs::process::Process::myself() else {
        return;
    };
    if let Ok(stat) = process.stat() {
        let ticks = stat.utime + stat.stime;
        gauge!(CPU_SECONDS).set(ticks as f64 / procfs::ticks_per_second() as f64);
        gauge!(RESIDENT).set(stat.rss as f64 * procfs::page_size() as f64);
        gauge!(THREADS).set(stat.num_threads as f64);
    }
    if let Ok(open) = process.fd_count() {
        gauge!(OPEN_FILES).set(open as f64);
    }
    if let Ok(limits) = process.limits()
        && let procfs::process::LimitValue::Value(most) = limits.max_open_files.soft_limit
    {
        gauge!(MOST_FILES).set(most as f64);
    }
}

/// There are no figures on other systems.
#[cfg(not(target_os = "linux"))]
pub(super) fn read() {}
