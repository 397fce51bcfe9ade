//! `pratique compare`: orders two versions, or checks rows of them.

use std::cmp::Ordering;
use std::io::{self, BufRead as _, BufWriter, Read as _, Write as _};

use pratique_version::{Scheme, check_row};

use crate::args::CompareArguments;
use crate::exit::{Exit, Failure};
use crate::say::say;

/// How long a row may be; no real pair of versions comes near it.
const ROW_BYTES_MAX: u64 = 64 * 1024;

/// Runs the command.
pub(crate) fn run(arguments: &CompareArguments) -> Result<Exit, Failure> {
    match (arguments.left.as_str(), &arguments.right) {
        ("-", None) => rows(arguments.scheme),
        (_, None) => Err(Failure::usage("compare: the second version is missing")),
        (left, Some(right)) => {
            let order = arguments
                .scheme
                .compare(left, right)
                .map_err(|error| Failure::new(Exit::Usage, error))?;
            say!("{}", sign(order));
            Ok(Exit::Clean)
        }
    }
}

/// Checks rows from standard input and prints those that do not hold, then the sums.
fn rows(scheme: Scheme) -> Result<Exit, Failure> {
    let failed = |error: io::Error| {
        Failure::new(Exit::Failed, anyhow::Error::from(error).context("reading rows"))
    };
    let mut input = io::stdin().lock();
    let mut output = BufWriter::new(io::stdout().lock());
    let (mut passed_count, mut failed_count) = (0_u64, 0_u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length =
            (&mut input).take(ROW_BYTES_MAX).read_until(b'\n', &mut line).map_err(failed)?;
        if length == 0 {
            break;
        }
        let text = String::from_utf8_lossy(&line);
        let row = text.trim_end_matches(['\n', '\r']);
        match check_row(scheme, row) {
            None => {}
            Some(Ok(())) => passed_count += 1,
            Some(Err(failure)) => {
                failed_count += 1;
                writeln!(output, "{row}: {failure}").map_err(failed)?;
            }
        }
    }
    writeln!(output, "{passed_count} passed, {failed_count} failed").map_err(failed)?;
    output.flush().map_err(failed)?;
    Ok(if failed_count == 0 { Exit::Clean } else { Exit::Findings })
}

fn sign(order: Ordering) -> char {
    match order {
        Ordering::Less => '<',
        Ordering::Equal => '=',
        Ordering::Greater => '>',
    }
}
