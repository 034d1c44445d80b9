-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- The tables and views of a trace: one file per experiment, any number of runs
-- in it. Open it with any SQLite client; only the view `spike` needs Volley's
-- loadable extension (.load FOLDER/volley). Every figure that Volley reports can be
-- recomputed from these tables with a query.
--
-- A channel is one neuron in one vector; a vector is what one update of a
-- population fires for one position (token). Its spikes are spread by the
-- run's coding over virtual ticks. Where populations are clocked, a vector is
-- one tick, and a position is one sample (or the whole run). Ticks count from
-- the start of the run: each position begins where the one before it ended.

PRAGMA application_id = 0x564f4c59; -- 'VOLY'
PRAGMA user_version = 1;

CREATE TABLE run (
    id INTEGER PRIMARY KEY,
    status TEXT NOT NULL,      -- 'running' (or killed), 'done', 'interrupted', 'failed'
    started TEXT NOT NULL,     -- UTC, ISO 8601
    finished TEXT,             -- UTC, ISO 8601; NULL while running
    version TEXT,              -- of Volley
    command TEXT,              -- the command line
    network TEXT,              -- name of the network
    model TEXT,                -- path of the model as given
    model_digest TEXT,         -- digest of the model's files
    coding TEXT,               -- how counts become spikes; NULL: nothing spikes by counts
    k REAL,                    -- threshold: mean|x| / k
    down_proj TEXT,            -- 'paper': its input spikes; 'repo': it does not; NULL: there is none
    attention_window INTEGER,  -- keys that window attention sees; 0: no such thing
    seed,                      -- of all random numbers: an integer, from 2^63 on as text
    dense_macs INTEGER,        -- multiply-accumulates of one position, all dense weights
    tick_seconds REAL,         -- length of a tick; 0: ticks are virtual
    level TEXT NOT NULL,       -- what is traced: 'summary', 'volley' or 'spike'
    pattern TEXT,              -- which populations are traced (a glob); NULL: all
    first_position INTEGER,    -- volleys are traced from this position (--trace-ticks: tick) on …
    last_position INTEGER,     -- … and up to but not including this one
    positions INTEGER NOT NULL DEFAULT 0, -- positions (tokens) fed in
    ticks INTEGER NOT NULL DEFAULT 0,     -- ticks they took in all
    wall_seconds REAL NOT NULL DEFAULT 0  -- time the run took
);

CREATE TABLE population (
    run INTEGER NOT NULL,      -- run.id
    id INTEGER NOT NULL,       -- index in the network: the order of updates within a tick
    name TEXT NOT NULL,        -- name of the population
    layer INTEGER NOT NULL,    -- layer of the model; -1: none
    model TEXT NOT NULL,       -- neuron model
    neurons INTEGER NOT NULL,  -- neurons
    spiking INTEGER NOT NULL,  -- 1: it fires spikes; 0: it shows values
    clocked INTEGER NOT NULL,  -- 1: it lives in simulated time; 0: due when its inputs are complete
    coding TEXT,               -- how its counts become spikes; NULL: plain spikes or none
    vectors INTEGER NOT NULL DEFAULT 0,     -- vectors (clocked: ticks)
    channels INTEGER NOT NULL DEFAULT 0,    -- vectors x neurons
    silent INTEGER NOT NULL DEFAULT 0,      -- channels without a spike
    spikes INTEGER NOT NULL DEFAULT 0,      -- spikes of all channels
    spikes_up_to_3 INTEGER NOT NULL DEFAULT 0, -- sum over channels of min(spikes, 3)
    slots INTEGER NOT NULL DEFAULT 0,       -- sum over vectors of virtual ticks x neurons
    sram_blocks INTEGER NOT NULL DEFAULT 0, -- blocks of 8 channels with a spike in them
    dram_blocks INTEGER NOT NULL DEFAULT 0, -- blocks of 64 channels with a spike in them
    synops INTEGER NOT NULL DEFAULT 0,      -- spikes reaching non-zero weights, all its projections
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

CREATE TABLE projection (
    run INTEGER NOT NULL,      -- run.id
    id INTEGER NOT NULL,       -- index in the network
    name TEXT NOT NULL,        -- name of the projection
    kind TEXT NOT NULL,        -- kind of projection
    source INTEGER NOT NULL,   -- population.id it leaves
    target INTEGER NOT NULL,   -- population.id it ends in
    carries TEXT NOT NULL,     -- 'spikes' or 'values'
    delay INTEGER NOT NULL,    -- ticks
    synapses INTEGER NOT NULL, -- non-zero weights
    weight_count INTEGER NOT NULL, -- all weights: multiply-accumulates of a dense pass
    bytes INTEGER NOT NULL,    -- memory of the weights as held
    synops INTEGER NOT NULL DEFAULT 0, -- spikes (clocked, values: values not 0) reaching non-zero weights
    PRIMARY KEY (run, id)
) WITHOUT ROWID;

CREATE TABLE histogram (
    run INTEGER NOT NULL,        -- run.id
    population INTEGER NOT NULL, -- population.id
    value INTEGER NOT NULL,      -- count of a channel; -256 and 256 hold what lies beyond, too
    channels INTEGER NOT NULL,   -- channels that had it
    PRIMARY KEY (run, population, value)
) WITHOUT ROWID;

CREATE TABLE token (
    id INTEGER PRIMARY KEY,    -- in the order they were fed in
    run INTEGER NOT NULL,      -- run.id
    position INTEGER NOT NULL, -- position in the input sequence, or number of the sample
    tick INTEGER NOT NULL,     -- at which it entered the network
    ticks INTEGER NOT NULL     -- it took
);

CREATE TABLE volley (
    id INTEGER PRIMARY KEY,      -- within a run: by position and population (clocked: by tick and population)
    run INTEGER NOT NULL,        -- run.id
    tick INTEGER NOT NULL,       -- the first at which it fires
    population INTEGER NOT NULL, -- population.id
    position INTEGER,            -- position in the input sequence, or number of the sample
    ticks INTEGER NOT NULL,      -- virtual ticks that its spikes are spread over
    zero INTEGER NOT NULL,       -- zero point of its counts
    spikes INTEGER NOT NULL,     -- spikes over all its ticks
    data BLOB                    -- the spikes, see traces/blob.h; NULL below level 'spike'
);

CREATE TABLE coefficient (
    name TEXT PRIMARY KEY,   -- what costs
    value REAL NOT NULL,     -- how much
    unit TEXT NOT NULL,      -- of value
    evidence TEXT NOT NULL,  -- silicon, pre-silicon, circuit or datasheet
    source TEXT NOT NULL     -- where the figure comes from
) WITHOUT ROWID;

-- How sparse each spiking population was, by the four definitions in use.
CREATE VIEW layer_sparsity AS
SELECT run, layer, name AS population, neurons, vectors,
       silent * 1.0 / channels AS silent_fraction,
       spikes * 1.0 / channels AS mean_spikes,
       1 - spikes_up_to_3 / (3.0 * channels) AS slot_sparsity_3,
       1 - spikes * 1.0 / slots AS slot_sparsity,
       (3.0 * channels - spikes_up_to_3)
           / (3.0 * channels - spikes_up_to_3 + channels - silent) AS report_sparsity,
       spikes, synops
FROM population WHERE spiking ORDER BY run, id;

-- How many channels had which count.
CREATE VIEW spike_histogram AS
SELECT h.run, p.name AS population, h.value, h.channels
FROM histogram h JOIN population p ON p.run = h.run AND p.id = h.population
ORDER BY h.run, h.population, h.value;

-- Energy in pJ per position of the weights that each spiking population's spikes
-- reach (per run, where it has no positions), and of the same weights in a dense
-- pass. What each column includes: the lines of Volley's energy table.
CREATE VIEW layer_energy AS
WITH price AS (
    SELECT max(value) FILTER (WHERE name = 'add_int8') AS add_int8,
           max(value) FILTER (WHERE name = 'add_int32') AS add_int32,
           max(value) FILTER (WHERE name = 'mac_fp16') AS mac_fp16,
           max(value) FILTER (WHERE name = 'mac_int8') AS mac_int8,
           max(value) FILTER (WHERE name = 'sram_read') AS sram,
           8 * max(value) FILTER (WHERE name = 'dram_read_low') AS dram_low,
           8 * max(value) FILTER (WHERE name = 'dram_read_high') AS dram_high
    FROM coefficient
), reach AS (
    SELECT p.run, p.layer, p.id, p.name, p.neurons, p.vectors, p.spikes, p.sram_blocks,
           p.dram_blocks, max(r.positions, 1) AS positions,
           sum(j.weight_count) * 1.0 / p.neurons AS targets
    FROM population p JOIN run r ON r.id = p.run
    JOIN projection j ON j.run = p.run AND j.source = p.id
    WHERE j.carries = 'spikes' AND j.weight_count > 0 GROUP BY p.run, p.id
), amount AS (
    SELECT run, layer, id, name,
           targets * neurons * vectors / positions AS macs,
           targets * spikes / positions AS adds,
           targets * sram_blocks / positions AS lines,
           targets * dram_blocks / positions AS bursts,
           targets * vectors * ((neurons + 3) / 4) / positions AS fp16_lines,
           targets * vectors * ((neurons + 31) / 32) / positions AS fp16_bursts,
           targets * vectors * ((neurons + 7) / 8) / positions AS int8_lines,
           targets * vectors * ((neurons + 63) / 64) / positions AS int8_bursts
    FROM reach
)
SELECT run, layer, name AS population, macs,
       adds * add_int8 AS report_pj,
       adds * add_int32 AS accumulate_pj,
       adds * add_int32 + lines * sram AS accumulate_sram_pj,
       adds * add_int32 + bursts * dram_low AS accumulate_dram_low_pj,
       adds * add_int32 + bursts * dram_high AS accumulate_dram_high_pj,
       macs * mac_fp16 AS fp16_pj,
       macs * mac_fp16 + fp16_lines * sram AS fp16_sram_pj,
       macs * mac_fp16 + fp16_bursts * dram_low AS fp16_dram_low_pj,
       macs * mac_fp16 + fp16_bursts * dram_high AS fp16_dram_high_pj,
       macs * mac_int8 AS int8_pj,
       macs * mac_int8 + int8_lines * sram AS int8_sram_pj,
       macs * mac_int8 + int8_bursts * dram_low AS int8_dram_low_pj,
       macs * mac_int8 + int8_bursts * dram_high AS int8_dram_high_pj
FROM amount, price ORDER BY run, id;

-- Every spike of a run traced at level 'spike'. Needs the extension.
CREATE VIEW spike AS
SELECT v.run, v.tick + s.step AS tick, p.name AS population, s.neuron, s.payload
FROM volley v JOIN population p ON p.run = v.run AND p.id = v.population
JOIN volley_spikes(v.data, p.coding, v.ticks, v.zero) s;
