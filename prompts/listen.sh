#!/bin/bash
# Listens to what was made, as a telephone would: decoded at 8 kHz. Prints the extremes of each language and fails on
# a clip that is empty, too long, too loud, too quiet, clipped, or silent at an end for long; and on missing names.
set -euo pipefail
cd "$(dirname "$0")"
. ./tools.sh
need sox sox opusdec opus-tools awk mawk

work=$(mktemp -d); trap 'rm -r "$work"' EXIT
for directory in */; do
    language=${directory%/}
    [ -f "text/$language.toml" ] || continue
    for file in "$language"/*.opus; do
        opusdec --quiet --rate 8000 "$file" "$work/heard.wav" 2>/dev/null
        sox -D "$work/heard.wav" "$work/dense.wav" silence 1 0.02 1% -1 0.05 1%
        sox -D "$work/heard.wav" "$work/led.wav" silence 1 0.005 1%
        sox -D "$work/heard.wav" "$work/trailed.wav" reverse silence 1 0.005 1%
        echo "$(basename "$file" .opus) $(figures "$work/heard.wav") $(figures "$work/dense.wav" | cut -d ' ' -f 3) \
$(soxi -D "$work/heard.wav" "$work/led.wav" "$work/trailed.wav" | tr '\n' ' ')"
    done | awk -v language="$language" '
        function bad(what) { print "prompts: " language "/" $1 ": " what; faults++ }
        $2 < 0.2 || $2 > 12 { bad("is " $2 " s long") }
        $3 > -3 { bad("peaks at " $3 " dBFS") }
        $5 < -24.5 || $5 > -17.5 { bad("speaks at " $5 " dBFS") }
        $6 - $7 > 0.2 { bad("begins with " $6 - $7 " s of silence") }
        $6 - $8 > 0.35 { bad("ends with " $6 - $8 " s of silence") }
        { total += $2; if ($2 > longest) { longest = $2; name = $1 } if (!shortest || $2 < shortest) { shortest = $2; short = $1 }
          if (!peak || $3 > peak) peak = $3; level += $5; if (!low || $5 < low) low = $5; if (!high || $5 > high) high = $5 }
        END { printf "prompts: %s: %d clips, %.0f s; longest %s %.1f s, shortest %s %.2f s; speech %.1f dBFS (%.1f to %.1f), peak %.1f dBFS\n",
              language, NR, total, name, longest, short, shortest, level / NR, low, high, peak; exit faults > 0 }' || failed=1
done
for text in text/*.toml; do
    cut -d ' ' -f 1 "$text" | grep '^[a-z].*' | sort > "$work/names"
    [ -f "$work/first" ] || cp "$work/names" "$work/first"
    diff "$work/first" "$work/names" > "$work/difference" || { echo "prompts: $text names other lines:"; cat "$work/difference"; failed=1; }
done
echo "prompts: $(cat ./*/*.opus ./*.opus | wc -c) bytes in all"
exit "${failed:-0}"
