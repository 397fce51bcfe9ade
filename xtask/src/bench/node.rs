//! Measures the following of a node's container runtime: the queue alone, the watcher over a
//! scripted runtime, and the built program beside a real one.

use std::path::Path;
use std::process::{Command, Stdio};

use super::case::Programs;
use super::fleet::rows;

/// Everything that is promised of the watcher, and what was measured.
pub(super) fn watch(root: &Path, programs: &Programs) -> Result<String, String> {
    let mut table = String::from("| what | promised | measured |\n|---|---|---|\n");
    let cargo = |package: &str, name: &str| {
        let mut command = Command::new("cargo");
        command.current_dir(root).args(["bench", "--quiet", "--package", package]);
        command.args(["--bench", name]);
        command
    };
    let slowest = slowest_queue(&mut cargo("pratique-clockwork", "queue"))?;
    table += &format!(
        "| queue alone, push, take and done, 0 to 10,000 keys in back-off | 500,000 events/s | \
         {:.1} million/s, the slowest case's median |\n",
        slowest / 1e6
    );
    for name in ["watching", "memory"] {
        table += &rows(&mut cargo("pratique-watch", name))?;
    }
    table += &rows(Command::new(&programs.agent).arg(&programs.pratique))?;
    Ok(table)
}

/// Runs the benchmark of the queue; items a second of its slowest case.
fn slowest_queue(command: &mut Command) -> Result<f64, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|e| format!("{command:?}: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    let slowest = medians(&text).min_by(f64::total_cmp);
    slowest.filter(|_| output.status.success()).ok_or_else(|| format!("{command:?}: no rates"))
}

/// The third of the four rates in each line of rates that divan prints.
fn medians(text: &str) -> impl Iterator<Item = f64> {
    let lines = text.lines().filter_map(|line| {
        let rate = line.split('│').filter(|column| column.contains("item/s")).nth(2)?;
        rate.trim().split_once(' ')
    });
    lines.filter_map(|(number, unit)| {
        let factor = match unit {
            "item/s" => 1.0,
            "Kitem/s" => 1e3,
            "Mitem/s" => 1e6,
            "Gitem/s" => 1e9,
            _ => return None,
        };
        Some(number.parse::<f64>().ok()? * factor)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_each_case_is_read_with_its_unit() {
        let text = "queue      fastest       │ slowest       │ median        │ mean\n\
            ├─ burst                 │               │               │\n\
            │  ├─ 10   14.2 ms       │ 15.2 ms       │ 14.3 ms       │ 14.4 ms\n\
            │  │       4.2 Mitem/s   │ 3.9 Mitem/s   │ 4.5 Mitem/s   │ 4.4 Mitem/s\n\
            ╰─ steady  860 Kitem/s   │ 700 Kitem/s   │ 812.5 Kitem/s │ 800 Kitem/s\n";
        assert_eq!(medians(text).collect::<Vec<_>>(), [4_500_000.0, 812_500.0]);
        assert_eq!(medians("nothing\n").count(), 0);
    }
}
