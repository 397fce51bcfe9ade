-- Which advisories a part holds and what they say, as hashes: so that a feed is held against what is
-- stored without reading it. One row is a page of some twenty advisories, 32 bytes each (see
-- roll.rs); advisories that are gone from the feed are on none.
CREATE TABLE roll (
  part INTEGER NOT NULL REFERENCES part (id),
  page INTEGER NOT NULL,
  entries BLOB NOT NULL,
  PRIMARY KEY (part, page)
) STRICT, WITHOUT ROWID;

-- The few that are gone, for whoever removes them.
CREATE INDEX advisory_gone ON advisory (part) WHERE state = 2;
