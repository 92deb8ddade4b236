#!/usr/bin/env bash
# issue.sh TITLE FILE: opens an issue with the text of FILE, or updates the open one with this title.
# issue.sh TITLE: closes that one, if it is open. GH_TOKEN and GH_REPO say as whom and where.
set -euo pipefail

run="$GITHUB_SERVER_URL/$GH_REPO/actions/runs/$GITHUB_RUN_ID"
number=$(TITLE=$1 gh issue list --limit 1000 --json number,title \
    --jq 'map(select(.title == env.TITLE))[0].number // empty')
if [ $# -eq 1 ]; then
    [ -z "$number" ] || gh issue close "$number" --comment "Gone since [this run]($run)."
    exit
fi
body=$(mktemp)
{
    head --bytes 60000 "$2" # an issue may have 65,536 characters
    printf '\nFound by [this run](%s).\n' "$run"
} >"$body"
if [ -n "$number" ]; then
    gh issue edit "$number" --body-file "$body"
else
    gh issue create --title "$1" --body-file "$body"
fi
