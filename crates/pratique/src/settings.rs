//! What `pratique.toml` says.
//!
//! The file is for what every command on a machine is to know, such as the database, and for what a
//! service does. A flag wins over its environment variable, which wins over the file. What is wrong
//! with the file is wrong usage, named by file, line and key, whichever command reads it.
//!
//! What would surprise: the folder in which the program is started is not searched. A scan of a
//! stranger's folder must not take its settings, least of all a mirror.

mod node;
mod reader;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use anyhow::anyhow;
use pratique_clockwork::Clock;
use pratique_clockwork::http::Listen;
use pratique_fetch::Mirror;
use pratique_update::{Config, Selection};

pub(crate) use self::node::NodeSettings;
use self::reader::{Problem, Table};
use crate::exit::{Exit, Failure};
use crate::{database, paths, refresh, units};

/// The size of a file that is read: a hundred times what all keys need.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The settings of all sections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// `[updater]`.
    pub(crate) updater: UpdaterSettings,
    /// `[agent]`.
    pub(crate) agent: NodeSettings,
    /// `[watch]`.
    pub(crate) watch: NodeSettings,
}

/// `[updater]`: the data, where they come from, and the service that keeps them fresh. What is not
/// in the file is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UpdaterSettings {
    /// `--db`.
    pub(crate) db: Option<String>,
    /// `--mirror`.
    pub(crate) mirror: Option<String>,
    /// `--interval`.
    pub(crate) interval: Option<Duration>,
    /// The interval of single sources, by name; 0 switches one off.
    pub(crate) intervals: BTreeMap<String, Duration>,
    /// `--sources`.
    pub(crate) sources: Vec<String>,
    /// `--jobs`.
    pub(crate) jobs: Option<NonZeroUsize>,
    /// `--listen`.
    pub(crate) listen: Option<Listen>,
    /// `--max-data-age` of `serve`.
    pub(crate) max_data_age: Option<Duration>,
    /// `--lease-ttl`.
    pub(crate) lease_ttl: Option<Duration>,
    /// `--idle-timeout`.
    pub(crate) idle_timeout: Option<Duration>,
}

impl Settings {
    /// Reads the file that is named, else the one at the default place if there is one.
    ///
    /// # Errors
    /// A wrong use: the named file cannot be read, or a file says what it cannot.
    pub(crate) fn load(named: Option<&Path>) -> Result<Self, Failure> {
        let default = paths::default_settings();
        let Some(path) = named.or(default.as_deref()) else { return Ok(Self::default()) };
        let text = match read(path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => {
                let error = anyhow::Error::from(error);
                return Err(Failure::new(Exit::Usage, error.context(path.display().to_string())));
            }
        };
        Self::parse(&text).map_err(|Problem { line, what }| {
            Failure::new(Exit::Usage, anyhow!("{}:{line}: {what}", path.display()))
        })
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let mut root = Table::parse(text)?;
        let mut settings = Self::default();
        if let Some(section) = root.table("updater")? {
            settings.updater = UpdaterSettings::read(section)?;
        }
        if let Some(section) = root.table("agent")? {
            settings.agent = NodeSettings::read(section, false)?;
        }
        if let Some(section) = root.table("watch")? {
            settings.watch = NodeSettings::read(section, true)?;
        }
        root.finish()?;
        Ok(settings)
    }
}

impl UpdaterSettings {
    fn read(mut section: Table<'_>) -> Result<Self, Problem> {
        let mut read = Self {
            db: section.text("db", |text| {
                let place = database::parse(text).map_err(|failure| told(&failure.error))?;
                drop(place);
                Ok(text.to_owned())
            })?,
            mirror: section.text("mirror", |text| {
                Mirror::parse(text).map_err(|error| error.to_string())?;
                Ok(text.to_owned())
            })?,
            interval: section.text("interval", units::duration)?,
            sources: section.texts("sources", source)?,
            jobs: section.count("jobs")?,
            listen: section.text("listen", |text| {
                text.parse::<Listen>().map_err(|error| told(&error.into()))
            })?,
            max_data_age: section.text("max_data_age", units::duration)?,
            lease_ttl: section.text("lease_ttl", units::duration)?,
            idle_timeout: section.text("idle_timeout", units::duration)?,
            intervals: BTreeMap::new(),
        };
        if let Some(mut intervals) = section.table("intervals")? {
            for source in pratique_feeds::sources() {
                if let Some(interval) = intervals.text(source.name(), units::duration)? {
                    read.intervals.insert(source.name().to_owned(), interval);
                }
            }
            intervals.finish()?;
        }
        section.finish()?;
        Ok(read)
    }

    /// What the updater goes by where no flag says otherwise.
    pub(crate) fn config(&self) -> Result<Config, Failure> {
        let mut config = Config {
            interval: self.interval,
            intervals: self.intervals.clone(),
            selection: refresh::selection(&self.sources)?,
            ..Config::default()
        };
        if let Some(jobs) = self.jobs {
            config.round.jobs = jobs.get();
        }
        Ok(config)
    }
}

/// Reads a file that must be text and small.
fn read(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > FILE_BYTES_MAX {
        return Err(io::Error::other(format!("larger than {FILE_BYTES_MAX} bytes")));
    }
    fs::read_to_string(path)
}

/// The name of a source or part, if there is one of that name.
fn source(name: &str) -> Result<String, String> {
    let year = refresh::year(Clock::system().now());
    match Selection::parse(name, pratique_feeds::sources(), year) {
        Ok(_) => Ok(name.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

fn told(error: &anyhow::Error) -> String {
    format!("{error:#}")
}

#[cfg(test)]
mod tests;
