-- What is to happen at a time: reservations that run out, payments that come too late, calls to make again.

CREATE TABLE timers (
    timer_id   uuid        PRIMARY KEY,
    due_at     timestamptz NOT NULL,
    kind       text        NOT NULL,
    subject    text        NOT NULL,
    payload    json        NOT NULL,
    attempts   integer     NOT NULL DEFAULT 0,
    -- When it is to be fired: at first when it is due, after a failure later.
    next_at    timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX timers_next_at ON timers (next_at);
