-- Changes by which an advisory began or ceased to name a vulnerability; they are few.
CREATE INDEX change_renamed ON change (advisory) WHERE advisory IS NOT NULL AND cve IS NOT NULL;
