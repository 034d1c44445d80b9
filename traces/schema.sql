-- SPDX-License-Identifier: GPL-3.0-or-later
--
-- The tables and views of a trace: one file per experiment, any number of runs
-- in it. Open it with any SQLite client; only the views `spike`, `neuron_spikes`
-- and `encoding_spike` need Volley's loadable extension (.load FOLDER/volley). Every
-- figure that Volley reports can be recomputed from these tables with a query.
--
-- A channel is one neuron in one vector; a vector is what one update of a
-- population fires for one position (token). Its spikes are spread by the
-- run's coding over virtual ticks. Where populations are clocked, a vector is
-- one tick, and a position is one sample (or the whole run). Ticks count from
-- the start of the run: each position begins where the one before it ended.

PRAGMA application_id = 0x564f4c59; -- 'VOLY'
PRAGMA user_version = 2;

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
    sampled INTEGER NOT NULL,  -- 1: positions are samples of a data set or tokens; 0: one run in time
    stride INTEGER NOT NULL,   -- ticks in a time step of the model (1, but for --integration event)
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
    input INTEGER NOT NULL,    -- 1: fed from outside or making spikes of its own; nothing can reach it
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
    target INTEGER NOT NULL,   -- population.id it ends in …
    port TEXT NOT NULL,        -- … at this port
    width INTEGER NOT NULL,    -- elements of the port
    carries TEXT NOT NULL,     -- 'spikes' or 'values'
    delay INTEGER NOT NULL,    -- ticks
    synapses INTEGER NOT NULL, -- non-zero weights
    weight_count INTEGER NOT NULL, -- all weights: multiply-accumulates of a dense pass
    parameters INTEGER NOT NULL, -- weights held: a convolution's once
    bytes INTEGER NOT NULL,    -- memory of the weights as held
    fan_out BLOB,              -- non-zero weights each source neuron reaches, LEB128; NULL: each as many
    reach INTEGER,             -- reach.id; NULL: each source neuron leads to all of the port (one to one:
                               -- to the element of its own number)
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

-- Of every neuron of a spiking population, at every level: numbers as LEB128, one after the other.
-- NULL: not kept for each neuron (noise); the sums are in `population`.
CREATE TABLE neuron_activity (
    run INTEGER NOT NULL,        -- run.id
    population INTEGER NOT NULL, -- population.id
    active BLOB,                 -- vectors (clocked: ticks) in which it fired
    spikes BLOB,                 -- spikes of its coding (clocked: sum of |payload|)
    updates BLOB,                -- ticks in which it was updated (volley run --count-updates)
    PRIMARY KEY (run, population)
) WITHOUT ROWID;

-- Where the source neurons of projections lead; equal ones are kept once.
CREATE TABLE reach (
    id INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,        -- of data
    sources INTEGER NOT NULL,    -- source neurons
    targets INTEGER NOT NULL,    -- target neurons …
    grain INTEGER NOT NULL,      -- … in groups of so many
    data BLOB NOT NULL,          -- see traces/energy/reach.h
    UNIQUE (digest, sources, targets, grain)
);

-- Where the network file wants neurons: first … first + count - 1 on core `core`.
CREATE TABLE wanted_placement (
    run INTEGER NOT NULL,        -- run.id
    population INTEGER NOT NULL, -- population.id
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    core INTEGER NOT NULL,
    PRIMARY KEY (run, population, first)
) WITHOUT ROWID;

-- What a run would cost on a chip: one row for each `volley energy` of a run on a chip.
CREATE TABLE estimate (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,        -- run.id
    chip TEXT NOT NULL,          -- name of the chip
    chip_digest TEXT NOT NULL,   -- of its figures, changes included
    options TEXT NOT NULL,       -- what was asked for, as JSON
    made TEXT NOT NULL,          -- UTC, ISO 8601
    version TEXT NOT NULL,       -- of Volley
    unit TEXT NOT NULL,          -- what it is per: 'token', 'inference' or 'run' …
    inferences REAL NOT NULL,    -- … and how many of them the run had
    joules REAL NOT NULL,        -- whole run, all terms
    low REAL NOT NULL,           -- its 90 % interval
    high REAL NOT NULL,
    platform_joules REAL NOT NULL, -- of board and host, in no other figure
    seconds REAL,                -- whole run; NULL: the chip has no figures of time
    seconds_per_inference REAL,
    placement TEXT,              -- method; NULL: it was not placed on cores
    cores INTEGER,               -- in use
    chips INTEGER                -- in use
);

CREATE TABLE estimate_term (
    estimate INTEGER NOT NULL,   -- estimate.id
    population INTEGER NOT NULL, -- population.id; -1: the chip itself
    term TEXT NOT NULL,          -- cause
    joules REAL NOT NULL,        -- whole run
    PRIMARY KEY (estimate, population, term)
) WITHOUT ROWID;

CREATE TABLE placement (
    estimate INTEGER NOT NULL,   -- estimate.id
    population INTEGER NOT NULL, -- population.id
    port TEXT NOT NULL,          -- of which these are elements; '': they are neurons
    first INTEGER NOT NULL,      -- first … first + count - 1
    count INTEGER NOT NULL,
    chip INTEGER NOT NULL,       -- number of the chip
    core INTEGER NOT NULL,       -- number of the core on that chip
    x INTEGER NOT NULL,          -- of its tile, over all chips
    y INTEGER NOT NULL,
    PRIMARY KEY (estimate, population, port, first)
) WITHOUT ROWID;

-- One model run at many points: one row for each `volley sweep`, however often it was taken up again.
CREATE TABLE sweep (
    id INTEGER PRIMARY KEY,
    made TEXT NOT NULL,          -- UTC, ISO 8601
    version TEXT NOT NULL,       -- of Volley
    command TEXT NOT NULL,       -- the command line
    model TEXT NOT NULL,         -- path as given
    data TEXT NOT NULL,          -- path of the text or the samples, as given
    kind TEXT NOT NULL,          -- 'language' or 'network'
    digest TEXT NOT NULL,        -- of the files of the model and of the data
    axes TEXT NOT NULL,          -- JSON: what was swept, [["coding", ["bitwise", …]], ["k", …]]
    settings TEXT NOT NULL,      -- JSON: what was the same at every point
    unit TEXT NOT NULL           -- what figures are per: 'token' or 'sample'
);

-- One point of a sweep. Figures are NULL until it is done, and where there is no such figure.
CREATE TABLE sweep_point (
    id INTEGER PRIMARY KEY,
    sweep INTEGER NOT NULL,      -- sweep.id
    number INTEGER NOT NULL,     -- its place in the order that was asked for, from 1
    options TEXT NOT NULL,       -- JSON: what was swept at this point, and the settings
    status TEXT NOT NULL,        -- 'waiting', 'done' or 'failed'
    message TEXT,                -- why it failed
    run INTEGER,                 -- run.id
    units INTEGER,               -- tokens or samples
    bits_per_character REAL,     -- of the text
    bits_per_token REAL,
    accuracy REAL,               -- of the labelled samples, 0 … 1
    spikes REAL,                 -- per unit
    synops REAL,                 -- per unit
    ticks REAL,                  -- per unit; of a language model virtual ones
    mean_spikes REAL,            -- per channel
    silent_fraction REAL,        -- the sparsities, as in layer_sparsity, of all populations together
    slot_sparsity_3 REAL,
    slot_sparsity REAL,
    report_sparsity REAL,
    small_counts REAL,           -- share of channels whose count is -7 … 7
    wall_seconds REAL,           -- time the run took
    front INTEGER,               -- 1: on the Pareto front that was asked for last
    UNIQUE (sweep, number)
);

-- What a point would cost; more of it is in `estimate` under the point's run.
CREATE TABLE sweep_energy (
    point INTEGER NOT NULL,      -- sweep_point.id
    place INTEGER NOT NULL,      -- of the chip among those asked for, from 0
    chip TEXT NOT NULL,          -- its name
    joules REAL,                 -- per unit; NULL: it has no figures of energy, or the run does not fit
    joules_bound TEXT,           -- NULL: exact; else 'lower', 'upper' or 'both': it is a bound
    seconds REAL,                -- per unit; NULL: it has no figures of time, or the run does not fit
    seconds_bound TEXT,          -- as joules_bound
    message TEXT,                -- why the run does not fit
    PRIMARY KEY (point, chip)
) WITHOUT ROWID;

-- How many spikes each neuron fired. Needs the extension.
CREATE VIEW neuron_spikes AS
SELECT n.run, p.name AS population, s.neuron, s.number AS spikes
FROM neuron_activity n JOIN population p ON p.run = n.run AND p.id = n.population
JOIN volley_numbers(n.spikes) s;

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

-- Energy in pJ per token, inference or run on each chip that was asked for (volley energy), by
-- layer and cause: the newest estimate of each run and chip.
CREATE VIEW layer_energy AS
WITH cell AS (
    SELECT e.run, e.id AS estimate, e.chip, e.unit, t.population, t.term,
           t.joules / e.inferences * 1e12 AS pj
    FROM estimate e JOIN estimate_term t ON t.estimate = e.id
    WHERE e.id = (SELECT max(n.id) FROM estimate n WHERE n.run = e.run AND n.chip = e.chip)
)
SELECT c.run, c.estimate, c.chip, c.unit, p.layer, coalesce(p.name, '(chip)') AS population,
       total(c.pj) FILTER (WHERE c.term = 'all-in') AS all_in_pj,
       total(c.pj) FILTER (WHERE c.term = 'synops') AS synops_pj,
       total(c.pj) FILTER (WHERE c.term = 'memory') AS memory_pj,
       total(c.pj) FILTER (WHERE c.term = 'neurons') AS neurons_pj,
       total(c.pj) FILTER (WHERE c.term = 'spikes') AS spikes_pj,
       total(c.pj) FILTER (WHERE c.term = 'messages') AS messages_pj,
       total(c.pj) FILTER (WHERE c.term = 'hops') AS hops_pj,
       total(c.pj) FILTER (WHERE c.term = 'links') AS links_pj,
       total(c.pj) FILTER (WHERE c.term = 'control') AS control_pj,
       total(c.pj) FILTER (WHERE c.term = 'static') AS static_pj,
       total(c.pj) AS total_pj
FROM cell c LEFT JOIN population p ON p.run = c.run AND p.id = c.population
GROUP BY c.estimate, c.population ORDER BY c.estimate, c.population;

-- Every spike of a run traced at level 'spike'. Needs the extension.
CREATE VIEW spike AS
SELECT v.run, v.tick + s.step AS tick, p.name AS population, s.neuron, s.payload
FROM volley v JOIN population p ON p.run = v.run AND p.id = v.population
JOIN volley_spikes(v.data, p.coding, v.ticks, v.zero) s;

-- ---- encodings of signals: what `volley encode` made and measured ----
--
-- Here a channel is one column of a recording: a lead of an ECG, an ear of a sound. Images are one
-- channel of values without time: all pixels row by row, image after image. Value v of a channel is
-- x = (v - lowest) / (highest - lowest); of x are rmse and information, of v is snr.

-- What was encoded: one row for each call of `volley encode`.
CREATE TABLE signal (
    id INTEGER PRIMARY KEY,
    made TEXT NOT NULL,        -- UTC, ISO 8601
    version TEXT NOT NULL,     -- of Volley
    command TEXT NOT NULL,     -- the command line
    file TEXT NOT NULL,        -- path as given
    timeless INTEGER NOT NULL, -- 1: values without time (images); 0: value i of a channel is of time i
    row INTEGER NOT NULL,      -- timeless: values of one image; else 1
    first INTEGER NOT NULL,    -- the first value's number in the file (timeless: the first image's)
    length INTEGER NOT NULL,   -- values of each channel
    channels INTEGER NOT NULL, -- how many
    interval_seconds REAL,     -- from one value to the next; NULL: not known
    seed,                      -- of all random numbers: an integer, from 2^63 on as text
    goal TEXT                  -- what parameters were tuned for: 'snr' or 'information'; NULL: not tuned
);

CREATE TABLE signal_channel (
    signal INTEGER NOT NULL,   -- signal.id
    channel INTEGER NOT NULL,  -- its number in the file
    lowest REAL NOT NULL,      -- the value that is brought to 0 …
    highest REAL NOT NULL,     -- … and to 1
    rms REAL NOT NULL,         -- RMS of the values as they stand in the file, their mean included
    PRIMARY KEY (signal, channel)
) WITHOUT ROWID;

-- The values themselves, in pieces that follow each other without gaps.
CREATE TABLE signal_values (
    signal INTEGER NOT NULL,   -- signal.id
    channel INTEGER NOT NULL,  -- signal_channel.channel
    first INTEGER NOT NULL,    -- place in the channel, from 0, of the first value of this piece
    data BLOB NOT NULL,        -- float64, little-endian, as they stand in the file (not scaled)
    PRIMARY KEY (signal, channel, first)
);

-- What a scheme gave of one channel.
CREATE TABLE encoding (
    id INTEGER PRIMARY KEY,
    signal INTEGER NOT NULL,   -- signal.id
    place INTEGER NOT NULL,    -- of the scheme among those of the call, from 0: one may come twice
    label TEXT NOT NULL,       -- name to show; of one that comes twice: NAME-2
    scheme TEXT NOT NULL,      -- name of the scheme
    settings TEXT NOT NULL,    -- 'NAME:PARAMETER=VALUE,…' with which --scheme gives the same again
    form TEXT NOT NULL,        -- 'value': value i takes ticks i·T … (i+1)·T - 1; 'signal': tick i;
                               -- 'group': windows, each as many ticks as it has values
    channel INTEGER NOT NULL,  -- signal_channel.channel
    neurons INTEGER NOT NULL,  -- of one channel
    ticks_per_value INTEGER NOT NULL, -- T; 1 of 'signal' and 'group'
    tuned TEXT,                -- parameters whose best values were looked for, commas between; NULL: none
    evaluations INTEGER NOT NULL,     -- encodings that this took; 0: not tuned
    ticks INTEGER NOT NULL,    -- that all values took
    spikes INTEGER NOT NULL,   -- payloads other than 0
    density REAL NOT NULL,     -- spikes / (neurons x ticks)
    snr_db REAL,               -- 20 log10(RMS(v) / RMS(v - decoded)); Inf: exact; -Inf: all v are 0
    rmse REAL NOT NULL,        -- of x
    settling_ticks REAL,       -- until decoded came to 90 % of the way to the last x for good; NULL: never
    bits_per_value REAL,       -- mutual information of x and decoded (estimator: encoding/quality.c)
    bits_per_spike REAL,       -- of it, of each spike; NULL: no spikes
    bits_per_second REAL,      -- of it, in real time; NULL: the interval is not known
    link_bits REAL NOT NULL,   -- bits of all messages
    chip TEXT,                 -- of which the joules are; NULL: none was asked for
    joules REAL,               -- of firing all spikes and sending each to one core
    UNIQUE (signal, place, channel)
);

CREATE TABLE encoding_parameter (
    encoding INTEGER NOT NULL, -- encoding.id
    name TEXT NOT NULL,        -- of the scheme's parameter
    value REAL NOT NULL,
    unit TEXT NOT NULL,        -- '': none
    PRIMARY KEY (encoding, name)
) WITHOUT ROWID;

-- The spikes of a channel in order of tick and neuron, in pieces. A spike of neuron n at tick t
-- stands at place t x encoding.neurons + n; in the blob at that less `first`.
CREATE TABLE encoding_spikes (
    encoding INTEGER NOT NULL, -- encoding.id
    first INTEGER NOT NULL,    -- place from which the blob counts; pieces come in this order
    spikes INTEGER NOT NULL,   -- in this piece
    data BLOB NOT NULL,        -- sparse form of traces/blob.h, its `neuron` being place - first
    PRIMARY KEY (encoding, first)
);

-- What each scheme gave, mean over the channels of the call; snr_db and rmse are of the values of all
-- channels together, each in units of its range, as one exact channel would make any mean of decibels
-- infinite.
CREATE VIEW encoding_summary AS
SELECT e.signal, s.file, e.place, e.label, min(e.settings) AS settings, count(*) AS channels,
       avg(e.ticks) AS ticks, avg(e.spikes) AS spikes, avg(e.density) AS density,
       CASE WHEN max(e.rmse) = 0 THEN 9e999 WHEN max(c.rms) = 0 THEN -9e999
            ELSE 10 * log10(sum(c.rms / (c.highest - c.lowest) * c.rms / (c.highest - c.lowest))
                            / sum(e.rmse * e.rmse)) END AS snr_db,
       sqrt(avg(e.rmse * e.rmse)) AS rmse, avg(e.settling_ticks) AS settling_ticks,
       avg(e.bits_per_value) AS bits_per_value, avg(e.bits_per_spike) AS bits_per_spike,
       avg(e.bits_per_second) AS bits_per_second, avg(e.link_bits) AS link_bits,
       min(e.chip) AS chip, avg(e.joules) AS joules
FROM encoding e JOIN signal s ON s.id = e.signal
JOIN signal_channel c ON c.signal = e.signal AND c.channel = e.channel
GROUP BY e.signal, e.place ORDER BY e.signal, e.place;

-- Which schemes kept most for the fewest spikes: those for which no other scheme of the same call
-- has a higher SNR with as few spikes, or fewer spikes with as high an SNR.
CREATE VIEW encoding_front AS
SELECT a.signal, a.file, a.label, a.settings, a.spikes, a.snr_db, a.bits_per_value,
       a.bits_per_spike
FROM encoding_summary a
WHERE NOT EXISTS ( -- of one signal, a lower rmse is a higher SNR
    SELECT 1 FROM encoding_summary b
    WHERE b.signal = a.signal AND b.spikes <= a.spikes AND b.rmse <= a.rmse
      AND (b.spikes < a.spikes OR b.rmse < a.rmse))
ORDER BY a.signal, a.spikes;

-- Every spike that `volley encode` made. Needs the extension.
CREATE VIEW encoding_spike AS
SELECT e.signal, e.label, e.channel, (p.first + s.neuron) / e.neurons AS tick,
       (p.first + s.neuron) % e.neurons AS neuron, s.payload
FROM encoding e JOIN encoding_spikes p ON p.encoding = e.id JOIN volley_spikes(p.data) s;
