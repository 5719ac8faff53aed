-- Where a version's rows are kept: a read model that moves from one engine to another is built there anew.
ALTER TABLE projections ADD COLUMN target text NOT NULL DEFAULT 'postgres';
