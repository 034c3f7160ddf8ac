"""
What decisions ask: questions about what is wanted, remembered, seen and measured.

Nothing here changes a status or asks for a write.
"""

from rollouts.core.facts.confirmation_timeout import (
    CONFIRMATION_TIMEOUT,
    confirmation_times_out_at,
    without_late_confirmations,
)
from rollouts.core.facts.evidence import (
    StepDone,
    StepFailed,
    StepState,
    StepWaits,
    evidence_turned,
    is_rising,
    leaning_evidence,
    leaning_since,
    may_have_retreated,
    rise_waits_for,
    too_early,
)
from rollouts.core.facts.giving_back import (
    IN_FLIGHT_SECONDS,
    MADE_AGAIN_WITHIN,
    has_to_be_restored,
    is_deserted,
    is_home,
    named_revisions,
    other_pods,
    replicas_to_restore,
)
from rollouts.core.facts.progress import (
    DISRUPTED,
    available_pods,
    is_short_of_pods,
    progress_deadline,
    settled_pods,
    short_since,
    short_until,
    stable_is_short,
    step_deadline,
    step_is_settled,
    step_waiting_since,
    step_waits_for,
    waits_for_pods,
)
from rollouts.core.facts.restart import (
    RESTARTING,
    available_to_users,
    pods_to_restart,
    without_restart_words,
)
from rollouts.core.facts.revision_history import (
    after_promotion,
    as_gone_back_from,
    good_revisions,
    is_known_good,
    past_revisions,
    stable_left,
)
from rollouts.core.facts.roles import role_metadata_of, scale_selector
from rollouts.core.facts.rollback_reasons import (
    canary_is_without_pods,
    disruption_begins,
    disruption_is_over,
    failed_criteria,
    next_unready_end,
    rollback_reasons,
)
from rollouts.core.facts.route_removal import (
    retirement_is_due,
    route_has_ended,
    route_removal_delay_seconds,
    route_removal_is_delayed,
    route_removal_waits,
    route_removal_waits_for,
    stable_service_is_complete,
)
from rollouts.core.facts.services import (
    canary_is_stable,
    is_reached,
    may_narrow,
    narrowing_waits_for,
    served_by_others,
    stable_is_alone,
    unnamed_services,
    with_service_findings,
    would_lose_all,
)
from rollouts.core.facts.stable_capacity import (
    STABLE_DOWN,
    STABLE_SHORT,
    abort_cost,
    canary_lacks_room,
    canary_size,
    is_better_than_stable,
    may_switch_back,
    may_take_over,
    stable_size,
    switch_back_waits,
    switch_back_waits_until,
    who_answers,
)
from rollouts.core.facts.step_tracking import (
    PROMOTION,
    entered_steps,
    found_again,
    named_step,
    resumes_at,
    step_labels,
)
from rollouts.core.facts.steps import opens_route, place_of, step_state, step_waits_for_evidence
from rollouts.core.facts.strategy import (
    changed_strategy_fields,
    release_has_ended,
    release_remains,
    strategies_differ,
    strategy_words,
)
from rollouts.core.facts.traffic import (
    least_weight,
    next_split,
    next_weight,
    reaches_another,
    service_is_outdated,
    stable_is_down,
    stable_is_failing,
    stand_in,
)
from rollouts.core.facts.workload import (
    MISSING,
    with_workload_findings,
    workload_blocker,
    workload_due_at,
    workload_is_claimed,
    workload_is_idle,
    workload_is_missing,
    workload_size,
    workload_size_wanted,
)

__all__ = [
    # confirmation_timeout
    "CONFIRMATION_TIMEOUT",
    # progress
    "DISRUPTED",
    # giving_back
    "IN_FLIGHT_SECONDS",
    "MADE_AGAIN_WITHIN",
    # workload
    "MISSING",
    # step_tracking
    "PROMOTION",
    # restart
    "RESTARTING",
    # stable_capacity
    "STABLE_DOWN",
    "STABLE_SHORT",
    # evidence
    "StepDone",
    "StepFailed",
    "StepState",
    "StepWaits",
    "abort_cost",
    # revision_history
    "after_promotion",
    "as_gone_back_from",
    "available_pods",
    "available_to_users",
    # services
    "canary_is_stable",
    # rollback_reasons
    "canary_is_without_pods",
    "canary_lacks_room",
    "canary_size",
    # strategy
    "changed_strategy_fields",
    "confirmation_times_out_at",
    "disruption_begins",
    "disruption_is_over",
    "entered_steps",
    "evidence_turned",
    "failed_criteria",
    "found_again",
    "good_revisions",
    "has_to_be_restored",
    "is_better_than_stable",
    "is_deserted",
    "is_home",
    "is_known_good",
    "is_reached",
    "is_rising",
    "is_short_of_pods",
    "leaning_evidence",
    "leaning_since",
    # traffic
    "least_weight",
    "may_have_retreated",
    "may_narrow",
    "may_switch_back",
    "may_take_over",
    "named_revisions",
    "named_step",
    "narrowing_waits_for",
    "next_split",
    "next_unready_end",
    "next_weight",
    # steps
    "opens_route",
    "other_pods",
    "past_revisions",
    "place_of",
    "pods_to_restart",
    "progress_deadline",
    "reaches_another",
    "release_has_ended",
    "release_remains",
    "replicas_to_restore",
    "resumes_at",
    # route_removal
    "retirement_is_due",
    "rise_waits_for",
    # roles
    "role_metadata_of",
    "rollback_reasons",
    "route_has_ended",
    "route_removal_delay_seconds",
    "route_removal_is_delayed",
    "route_removal_waits",
    "route_removal_waits_for",
    "scale_selector",
    "served_by_others",
    "service_is_outdated",
    "settled_pods",
    "short_since",
    "short_until",
    "stable_is_alone",
    "stable_is_down",
    "stable_is_failing",
    "stable_is_short",
    "stable_left",
    "stable_service_is_complete",
    "stable_size",
    "stand_in",
    "step_deadline",
    "step_is_settled",
    "step_labels",
    "step_state",
    "step_waiting_since",
    "step_waits_for",
    "step_waits_for_evidence",
    "strategies_differ",
    "strategy_words",
    "switch_back_waits",
    "switch_back_waits_until",
    "too_early",
    "unnamed_services",
    "waits_for_pods",
    "who_answers",
    "with_service_findings",
    "with_workload_findings",
    "without_late_confirmations",
    "without_restart_words",
    "workload_blocker",
    "workload_due_at",
    "workload_is_claimed",
    "workload_is_idle",
    "workload_is_missing",
    "workload_size",
    "workload_size_wanted",
    "would_lose_all",
]
