-- The totals of a catalogue that was made before they were kept.
INSERT INTO sealed_total (branch, pieces, versions, size_bytes, stored_bytes, derived_bytes, declared, first_ms, last_ms)
SELECT e.branch,
       SUM(e.version = (SELECT MIN(version) FROM evidence f WHERE f.id = e.id AND f.branch = e.branch)),
       COUNT(*), SUM(e.size_bytes), SUM(e.stored_size_bytes), 0, SUM(e.grade = 'declared'), MIN(e.sealed_ms), MAX(e.sealed_ms)
FROM evidence e GROUP BY e.branch;

UPDATE sealed_total SET derived_bytes = copies.bytes FROM (SELECT e.branch AS code, SUM(d.stored_size_bytes) AS bytes
    FROM derived d CROSS JOIN evidence e ON e.id = d.evidence AND e.version = d.version GROUP BY e.branch) AS copies
WHERE branch = copies.code;

-- A piece whose versions came from several branches counts once in all.
INSERT INTO sealed_total (branch, pieces, versions, size_bytes, stored_bytes, derived_bytes, declared, first_ms, last_ms)
SELECT '',
       (SELECT SUM(e.version = (SELECT MIN(version) FROM evidence f WHERE f.id = e.id)) FROM evidence e),
       SUM(versions), SUM(size_bytes), SUM(stored_bytes), SUM(derived_bytes), SUM(declared), MIN(first_ms), MAX(last_ms)
FROM sealed_total HAVING COUNT(*) > 0;
