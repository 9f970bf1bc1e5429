# What the notebooks of this workshop share. Their first cell reads it, from the workshop's folder:
#     cd "${WORKSHOP:=$PWD}" && . ./lab.sh && start_part 1

export GIT_PAGER=cat        # a pager would wait for keys that a notebook can't press
export GIT_EDITOR=true      # so would an editor
export GIT_MERGE_AUTOEDIT=no
export GIT_TERMINAL_PROMPT=0
set +H                      # an exclamation mark is just one, also between double quotes

# start_part NUMBER: build the folder of a part afresh and go there.
start_part() {
    LAB="${WORKSHOP:?}/lab-$1"
    rm -rf -- "$LAB" && mkdir -- "$LAB" && cd -- "$LAB" && "ground_$1" || return
    printf 'Ready: you are in %s\n' "$LAB"
}

ground_1() {
    :
}

ground_2() {
    new_picnic
}

ground_3() {
    new_picnic
}

# new_picnic: a repository with two commits, as part 1 leaves it (there, you did each step yourself).
new_picnic() {
    git init --quiet -b main picnic && cd picnic || return
    sign_as "Student {{ STDID }}" "student{{ STDID }}@example.org"
    printf '%s\n' "Meet: 12:00 at the bridge" "" "Way: along the river" "" "Games: none yet" > plan.txt
    commit_all "Add the plan"
    printf '%s\n' "bread" "cheese" "grapes" > food.txt
    commit_all "Add the food list"
}

# sign_as NAME ADDRESS: whose commits these are, in this repository alone.
sign_as() {
    git config user.name "$1" && git config user.email "$2"
}

commit_all() {
    git add --all && git commit --quiet -m "$1"
}

# robin_is_faster: meanwhile, your friend commits and pushes from a repository of their own.
robin_is_faster() (
    cd "$LAB/robin" && git pull --quiet --no-rebase || return
    printf 'Robin: blanket\n' > "bring-$(git rev-list --count HEAD).txt"
    commit_all "Promise a blanket" && git push --quiet && printf 'Robin has just pushed a commit.\n'
)

# must MESSAGE COMMAND…: remember the message when the command fails; the first one counts.
must() {
    local message="$1"
    shift
    if [ -z "${missing:-}" ] && ! "$@" > /dev/null 2>&1; then
        missing="$message"
    fi
}

# verdict MESSAGE: say whether all that must be is so, and start anew for the next task.
verdict() {
    if [ -z "${missing:-}" ]; then
        printf '\033[32m✔ Well done.\033[0m %s\n' "$1"
    else
        printf '\033[1;33m✘ Not yet.\033[0m %s\n' "$missing"
    fi
    missing=""
}

# Questions about the repository in the current folder, for `must`.
nothing_to_commit() { [ -z "$(git status --porcelain)" ]; }
branch_exists() { git show-ref --verify --quiet "refs/heads/$1"; }
on_branch() { [ "$(git symbolic-ref --short HEAD)" = "$1" ]; }
merged_into() { git merge-base --is-ancestor "$1" "$2"; }
has_commit() { git log --format=%s "${2:-HEAD}" | grep -qxF -- "$1"; }  # MESSAGE [BRANCH]
recorded() { git show "${3:-HEAD}:$1" | grep -q -- "$2"; }               # FILE PATTERN [COMMIT]
