DROP TABLE audit_chains, audit_events;
DROP FUNCTION audit_guard();
