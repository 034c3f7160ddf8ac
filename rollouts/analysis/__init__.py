"""
From a scrape to a verdict: what the counters of a canary and its stable twin say of a release.

Reads come through `ports`; what turns numbers into verdicts is `rollouts.judge`. Nothing here
decides what becomes of a release, and nothing is remembered that the provider does not remember.

Who is measured, and when:

    exposed_canary      the canary and its stable twin, since when, and at which weight
    monitor             one task per canary: a round of measurements after each scrape
    round_schedule      when a new sample can be there, by the times of those before
    shared_timers       rounds that are due at about the same time are made together
    measurement_round   one round: every criterion that is due, each with its own error
    limited_sources     how many questions are asked at once, and how long each may take
    fair_semaphore      every namespace's questions in turn
    joint_counters      what many canaries ask at the same moment is one question
    joint_selectors     how their selectors become one, and the series are cut apart again
    criterion_metric    which metric answers a criterion: a router's own, or the app's
    app_counters        what the pods count themselves

From raw samples to counts, in the order in which samples go through it:

    series              the labels of a series as a key, and its newest sample
    counter_reader      asks for what was scraped since the last read
    native_histograms   as which classic ones? buckets at the bounds that criteria ask about
    sample_checks       can it be counted? bounds are numbers, and counters never negative
    deduplication       once? one Prometheus of an HA pair, one job of two
    counter_baseline    from zero? a new series counts in full, an old one from where it was met
    counter_windows     since when? the exposure, the weight, the last while
    scrapes             who was scraped when, and how often that is
    unseen_requests     how many requests did nobody see?
    exposure_counters   all of that for one metric of one exposure

Between two scrapes, from the pages of the processes themselves (ADR 0037):

    reading_rate_limiter        how many readings there are in a second
    shared_pages        one reading of a page for all who want something of it
    page_reader         reads the pages of one canary, and measures by them
    page_counters       what was counted on pages, and which of two counts is the larger

From counts to evidence:

    measurement         the error rate, the latency, and what they are compared with
    no_data             why nothing was counted, in words
    served_share        does the share reach the canary that its weight says?
    evidence            the verdict of each criterion, by its judge

Before a release:

    series_check        is there what the criteria will ask for?
"""
