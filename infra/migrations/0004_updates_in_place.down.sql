ALTER TABLE tasks RESET (fillfactor);
CREATE INDEX tasks_unresolved ON tasks (project, task_type, ordinal) WHERE NOT resolved;
