-- Changes are read from one of them on, and a generation may have hundreds of thousands.
DROP INDEX change_generation;
CREATE INDEX change_order ON change (part, generation, id);

-- When a part was loaded for the first time (kind 0) is asked before each step of the matcher.
CREATE INDEX change_baseline ON change (part, generation) WHERE kind = 0;
