DROP TABLE approvals;
DROP TABLE memory_blocks;
DROP TABLE effects;
DROP TABLE long_executions;
