#!/bin/bash
# Makes prompts/music.opus: 24 seconds of calm chords under a slow melody, all of it calculated. It begins and ends in
# silence that lasts no longer than a breath between two bars, so that it repeats without a seam.
set -euo pipefail
cd "$(dirname "$0")"
. ./tools.sh
need sox sox opusenc opus-tools awk mawk

work=$(mktemp -d); trap 'rm -r "$work"' EXIT

# Notes lie between 220 and 1400 Hz: a telephone passes little below 300 and nothing above 3400.
# Samples as text, 16 kHz: three minutes of sox pipes or one page of awk; this is the page.
awk '
function note(semitones) { return 440 * exp(semitones * log(2) / 12) }   # 0 is a1
# A soft tone: its octave and twelfth fade in strength; swells in `rise` s, dies with time constant `fall` s.
function tone(start, length_s, hz, level, rise, fall,    i, first, last, t, w, envelope) {
    first = int(start * RATE); last = first + int(length_s * RATE); w = 2 * PI * hz / RATE
    for (i = first; i < last && i < TOTAL; i++) {
        t = (i - first) / RATE
        envelope = level * exp(-t / fall)
        if (t < rise) envelope *= (1 - cos(PI * t / rise)) / 2
        if (length_s - t < 0.25) envelope *= (1 - cos(PI * (length_s - t) / 0.25)) / 2
        sample[i] += envelope * (sin(w * (i - first)) + 0.3 * sin(2 * w * (i - first)) + 0.12 * sin(3 * w * (i - first)))
    }
}
BEGIN {
    RATE = 16000; PI = 3.14159265358979; TOTAL = 24 * RATE
    # Eight bars of three seconds: F, C over E, d minor, a minor, B flat, F over A, g minor 7, C.
    chords = "-4 0 3 8;-5 -2 3 7;-7 -4 0 5;-5 0 3 7;-11 -7 -4 1;-9 -4 0 3;-11 -7 -2 1;-9 -5 -2 3"
    melody = "8 12 10;7 10 15;5 8 12;7 3 0;8 5 1;3 8 12;13 10 5;7 3 10"
    bars = split(chords, bar, ";"); split(melody, line, ";")
    for (b = 1; b <= bars; b++) {
        start = (b - 1) * 3
        last = b == bars
        count = split(bar[b], pitch, " ")
        for (n = 1; n <= count; n++) tone(start + 0.02 * n, last ? 2.85 : 3.6, note(pitch[n]), 0.10, 0.5, last ? 1.2 : 3)
        count = split(line[b], pitch, " ")
        for (n = 1; n <= count; n++) tone(start + n - 1, last && n == count ? 0.9 : 1.8, note(pitch[n]), 0.07, 0.02, 0.5)
    }
    print "; Sample Rate " RATE; print "; Channels 1"
    for (i = 0; i < TOTAL; i++) printf "%.6f %.7f\n", i / RATE, sample[i]
}' > "$work/music.dat"
sox -D "$work/music.dat" -b 16 "$work/dry.wav"
# Quieter than speech by 7 dB: it fills a wait, nobody came for it.
gain=$(figures "$work/dry.wav" | awk '{ printf "%.2f", -27 - $3 }')
sox -D "$work/dry.wav" "$work/music.wav" gain "$gain" fade t 0.01 24 0.05
opusenc --quiet --music --bitrate 18 --padding 0 --discard-comments --serial 1 "$work/music.wav" music.opus
echo "prompts: music: $(figures "$work/music.wav" | awk '{ printf "%.0f s, peak %.1f dBFS, level %.1f dBFS", $1, $2, $3 }')"
