ALTER TABLE agent_versions DROP COLUMN published_at, DROP COLUMN publication;
