#!/usr/bin/env bash
# up.sh OPTION...: brings the stack STACK up. A model that the gate rejects opens an issue, which a later one closes.
set -euo pipefail

title="The gate rejected a model of stack $STACK"
code=0
outcome=$(.venv/bin/personalize up --stack "$STACK" --yes --json "$@") || code=$?
printf '%s\n' "$outcome"
if [ "$code" -eq 3 ]; then
    report=$(mktemp)
    {
        echo 'The newest version was rejected; the champion, if there is one, keeps serving.'
        printf '\n```\n'
        COLUMNS=120 .venv/bin/personalize models --stack "$STACK"
        printf '```\n\nIts report is an artefact of the run. What to do: `docs/runbooks/failed-training.md`.\n'
    } >"$report"
    .github/issue.sh "$title" "$report"
elif [ "$code" -eq 0 ] && ! grep -q '"skipped"' <<<"$outcome"; then
    .github/issue.sh "$title"
fi
exit "$code"
