-- The watermark is looked for from where the stream is consumed to. Without an index on what changes with every execution the
-- update of a task stays on its page, which has room for it, and touches no index at all.
DROP INDEX tasks_unresolved;
ALTER TABLE tasks SET (fillfactor = 70);
