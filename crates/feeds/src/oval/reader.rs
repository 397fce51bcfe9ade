//! Reads the XML of an OVAL file, element by element.

use std::io::{BufRead, Read as _};

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::criteria::DEPTH_MAX;
use super::{Criteria, Definition, Oval, State, Test};
use crate::FeedError;

/// How large a file may be, in bytes. Microsoft's have about 4 MB.
pub(super) const DOCUMENT_BYTES_MAX: u64 = 256 << 20;

/// How deep elements may be nested: real files have seven levels.
const ELEMENTS_MAX: usize = 64;

/// Reads a file.
///
/// # Errors
/// [`FeedError::Read`] from the stream; [`FeedError::Form`] when it is no well-formed XML, is cut,
/// too large, or has no `oval_definitions`.
pub(crate) fn read(path: &str, content: &mut dyn BufRead) -> Result<Oval, FeedError> {
    let mut xml = Reader::from_reader(content.take(DOCUMENT_BYTES_MAX));
    let mut building = Building::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let event = xml.read_event_into(&mut buffer).map_err(|error| match error {
            quick_xml::Error::Io(source) => FeedError::Read {
                path: path.to_owned(),
                source: std::io::Error::new(source.kind(), source),
            },
            other => FeedError::form(path, other.to_string()),
        })?;
        let place = |problem: String| FeedError::form(path, problem);
        match event {
            Event::Start(start) => building.start(&start).map_err(place)?,
            Event::Empty(start) => {
                building.start(&start).map_err(place)?;
                building.end().map_err(place)?;
            }
            Event::End(_) => building.end().map_err(place)?,
            Event::Text(text) => building.text.push_str(&text.xml10_content()),
            Event::CData(text) => building.text.push_str(&text.xml10_content()),
            Event::GeneralRef(entity) => building.entity(&entity).map_err(place)?,
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if !building.open.is_empty() {
        return Err(FeedError::form(path, "ends in the middle of an element".to_owned()));
    }
    if !building.has_root {
        return Err(FeedError::form(path, "has no `oval_definitions`".to_owned()));
    }
    Ok(building.oval)
}

/// What is being put together while the file is read.
#[derive(Default)]
struct Building {
    oval: Oval,
    has_root: bool,
    /// Local names of the open elements.
    open: Vec<String>,
    /// The text since the last tag.
    text: String,
    definition: Option<Definition>,
    /// Open criteria, the outermost first, each with its operator.
    criteria: Vec<(String, Vec<Criteria>)>,
    test: Option<(String, Test)>,
    object: Option<(String, String)>,
    state: Option<(String, State)>,
}

impl Building {
    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() == ELEMENTS_MAX {
            return Err(format!("elements are nested deeper than {ELEMENTS_MAX}"));
        }
        let name = start.local_name().into_inner().to_owned();
        let id = || attribute(start, "id");
        match name.as_str() {
            "oval_definitions" => self.has_root = true,
            "definition" => {
                self.definition = Some(Definition { id: id()?, ..Definition::default() });
            }
            "reference" => {
                let reference = (attribute(start, "ref_id")?, attribute(start, "ref_url")?);
                if let Some(definition) = &mut self.definition {
                    definition.references.push(reference);
                }
            }
            "criteria" | "criterion" | "extend_definition" => self.criterion(&name, start)?,
            "rpminfo_test" => self.test = Some((id()?, Test::default())),
            "rpminfo_object" => self.object = Some((id()?, String::new())),
            "rpminfo_state" => self.state = Some((id()?, State::default())),
            "object" => {
                if let Some((_, test)) = &mut self.test {
                    test.object = attribute(start, "object_ref")?;
                }
            }
            "state" => {
                if let Some((id, test)) = &mut self.test {
                    let state = attribute(start, "state_ref")?;
                    if test.state.replace(state).is_some() {
                        return Err(format!("test {id} has two states"));
                    }
                }
            }
            name => {
                if let Some((_, state)) = &mut self.state {
                    if name == "evr" {
                        state.operation = attribute(start, "operation")?;
                        if state.operation.is_empty() {
                            // The default of the schema.
                            "equals".clone_into(&mut state.operation);
                        }
                    } else {
                        state.other = Some(name.to_owned());
                    }
                }
            }
        }
        self.open.push(name);
        self.text.clear();
        Ok(())
    }

    fn criterion(&mut self, name: &str, start: &BytesStart<'_>) -> Result<(), String> {
        if self.criteria.len() == DEPTH_MAX {
            return Err(format!("criteria are nested deeper than {DEPTH_MAX}"));
        }
        let is_negated = attribute(start, "negate")? == "true";
        if name == "criteria" {
            let operator =
                if is_negated { "a negation".to_owned() } else { attribute(start, "operator")? };
            self.criteria.push((operator, Vec::new()));
            return Ok(());
        }
        let criterion = match name {
            "criterion" if !is_negated => Criteria::Test(attribute(start, "test_ref")?),
            "criterion" => Criteria::Unknown("criteria with a negation".to_owned()),
            _ => Criteria::Unknown(format!("criteria with `{name}`")),
        };
        if let Some((_, members)) = self.criteria.last_mut() {
            members.push(criterion);
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let name = self.open.pop().ok_or("an end without a beginning")?;
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        match name.as_str() {
            "definition" => self.oval.definitions.extend(self.definition.take()),
            "criteria" => self.end_criteria(),
            "rpminfo_test" => self.oval.tests.extend(self.test.take()),
            "rpminfo_object" => self.oval.objects.extend(self.object.take()),
            "rpminfo_state" => self.oval.states.extend(self.state.take()),
            "timestamp" => text.clone_into(&mut self.oval.timestamp),
            "name" => {
                if let Some((_, name)) = &mut self.object {
                    text.clone_into(name);
                }
            }
            "evr" => {
                if let Some((_, state)) = &mut self.state {
                    text.clone_into(&mut state.version);
                }
            }
            name if self.open.last().is_some_and(|parent| parent == "metadata") => {
                if let Some(definition) = &mut self.definition {
                    definition.metadata.insert(name.to_owned(), text.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end_criteria(&mut self) {
        let Some((operator, members)) = self.criteria.pop() else { return };
        let criteria = match operator.as_str() {
            // AND is the default of the schema.
            "" | "AND" => Criteria::All(members),
            "OR" => Criteria::Any(members),
            other => Criteria::Unknown(format!("criteria with {other}")),
        };
        match (self.criteria.last_mut(), &mut self.definition) {
            (Some((_, outer)), _) => outer.push(criteria),
            (None, Some(definition)) => definition.criteria = Some(criteria),
            (None, None) => {}
        }
    }

    fn entity(&mut self, entity: &BytesRef<'_>) -> Result<(), String> {
        let unknown = || format!("unknown entity: {:?}", &**entity);
        if entity.is_char_ref() {
            let resolved = entity.resolve_char_ref().map_err(|error| error.to_string())?;
            self.text.push(resolved.ok_or_else(unknown)?);
        } else {
            let resolved = resolve_predefined_entity(&entity.xml10_content());
            self.text.push_str(resolved.ok_or_else(unknown)?);
        }
        Ok(())
    }
}

/// An attribute's value by its local name; empty when it is missing.
fn attribute(start: &BytesStart<'_>, name: &str) -> Result<String, String> {
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        if attribute.key.local_name().into_inner() == name {
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| error.to_string())?;
            return Ok(value.into_owned());
        }
    }
    Ok(String::new())
}
