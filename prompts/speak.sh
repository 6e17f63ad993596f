#!/bin/bash
# Speaks prompts/text/<language>.toml into prompts/<language>/<name>.opus: mono, of a telephone's band, one level everywhere.
# Usage: speak.sh [language...]; all languages without arguments. The same text and tools give the same files.
set -euo pipefail
cd "$(dirname "$0")"
. ./tools.sh
need espeak-ng espeak-ng sox sox opusenc opus-tools opusdec opus-tools awk mawk xargs findutils

# Speech level, dB full scale, pauses not counted. Higher: the limiter is heard. Lower: lost against the room.
LEVEL=-20
# Kilobits per second. Higher: a bigger program. Lower: the coder is heard.
BITRATE=9

# speak_one <voice> <speed> <language> <name> <text>
speak_one() {
    local work; work=$(mktemp -d)
    espeak-ng -v "$1" -s "$2" -w "$work/raw.wav" -- "$5"
    # Rumble and silence off; then 20 ms before and 60 ms after, so that a clip neither clicks nor runs into the next.
    # A telephone passes 4 kHz: what lies above would cost bits and be heard by nobody.
    sox -D "$work/raw.wav" -r 8000 -c 1 -b 16 "$work/cut.wav" gain -4 highpass 90 \
        silence 1 0.005 0.5% fade t 0.004 reverse silence 1 0.005 0.5% fade t 0.008 reverse pad 0.02 0.06
    # A knee above -12 dB tames the peaks; it needs 6 dB of room while it works.
    sox -D "$work/cut.wav" "$work/loud.wav" gain -6 gain "$(gain_to "$LEVEL" "$work/cut.wav")" \
        compand 0,0.05 3:-70,-70,-18,-18,-12,-14,0,-11.5 0 -90 0.0015 gain 6
    # What the knee took is given back, as far as the peaks allow.
    sox -D "$work/loud.wav" "$work/even.wav" gain "$(gain_to "$LEVEL" "$work/loud.wav")"
    # The coder moves peaks: one that comes out over -3.2 dB is coded again a little lower.
    local quieter
    for quieter in 0 -1 -2; do
        sox -D "$work/even.wav" "$work/sent.wav" gain "$quieter"
        opusenc --quiet --speech --bitrate "$BITRATE" --framesize 60 --padding 0 --discard-comments --serial 1 \
            "$work/sent.wav" "$3/$4.opus"
        opusdec --quiet --rate 8000 "$3/$4.opus" "$work/heard.wav" 2>/dev/null
        figures "$work/heard.wav" | awk '{ exit $2 > -3.2 }' && break
    done
    rm -r "$work"
}

# gain_to <level> <file>: the gain that brings its speech, pauses over 50 ms left out, to the level; one that would
# lift a peak over -5.7 dB stops there when the file has been through the knee: Opus adds up to 2.5 dB.
gain_to() {
    sox -D "$2" "${2%.wav}-dense.wav" silence 1 0.02 1% -1 0.05 1%
    figures "${2%.wav}-dense.wav" | awk -v level="$1" -v knee="$(case $2 in *loud*) echo 1 ;; esac)" \
        '{ gain = level - $3; if (knee && gain > -5.7 - $2) gain = -5.7 - $2; printf "%.2f", gain }'
}
export -f speak_one gain_to figures
export LEVEL BITRATE

setting() { sed -n "s/^$2 = \"\\{0,1\\}\\([^\"]*\\)\"\\{0,1\\}\$/\\1/p" "text/$1.toml" | head -n 1; }
lines() { sed -n '/^\[prompts\]/,$ s/^\([a-z0-9-]*\) = "\(.*\)"$/\1\t\2/p' "text/$1.toml"; }

[ $# -gt 0 ] || set -- $(cd text && ls -- *.toml | sed 's/\.toml$//')
for language in "$@"; do
    voice=$(setting "$language" voice)
    speed=$(setting "$language" speed)
    mkdir -p "$language"
    lines "$language" | awk -F '\t' -v OFS='\n' -v v="$voice" -v s="$speed" -v l="$language" '{ print v, s, l, $1, $2 }' |
        xargs -d '\n' -n 5 -P "$(nproc)" bash -euo pipefail -c 'speak_one "$@"' speak
    # What the text no longer names is not kept.
    for file in "$language"/*.opus; do
        name=$(basename "$file" .opus)
        lines "$language" | cut -f 1 | grep -qx -- "$name" || rm -v -- "$file"
    done
    echo "prompts: $language: $(ls "$language" | wc -l) clips, $(du -bc "$language"/*.opus | tail -n 1 | cut -f 1) bytes"
done
