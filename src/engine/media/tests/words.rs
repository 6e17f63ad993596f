//! When it is told who speaks.

use std::pin::pin;

use super::*;

/// Lets phones speak until somebody is said to have begun or ceased to. Only the bell wakes who waits here: whoever looks by himself finds words earlier.
async fn until_told(plane: &mut MediaPlane, phones: &mut [Phone; 3], begun: bool) {
    let end = Alarm::now() + PATIENCE;
    let mut ticks = interval(Duration::from_millis(20));
    loop {
        let mut next = pin!(plane.next());
        let event = loop {
            tokio::select! {
                event = &mut next => break event,
                _ = ticks.tick() => phones.iter_mut().for_each(|phone| {
                    phone.speak();
                    phone.listen();
                }),
            }
            assert!(Alarm::now() < end, "it was never told");
        };
        if matches!(event, MediaEvent::Talking { talking, .. } if talking == begun) {
            return;
        }
    }
}

/// How long it takes from somebody's first sound to the word that he speaks: the shortest and the longest of some times.
async fn told_after(plane: &mut MediaPlane, phones: &mut [Phone; 3]) -> (Duration, Duration) {
    let mut took = Vec::new();
    for time in 0..2 {
        // So many ms after the last word was told, which is when the next half second begins at the earliest.
        let [anna, ben, carl] = &mut *phones;
        talk(plane, &mut [anna, ben, carl], Duration::from_millis(130 * time)).await;
        phones[0].frequency = 400.0;
        let began = Alarm::now();
        until_told(plane, phones, true).await;
        took.push(began.elapsed());
        phones[0].frequency = 0.0;
        until_told(plane, phones, false).await;
    }
    (*took.iter().min().unwrap(), *took.iter().max().unwrap())
}

#[tokio::test]
async fn who_speaks_is_told_at_once_to_those_who_follow_and_to_the_log_within_a_second() {
    let mut plane = plane(1, 12_180, 4);
    let mut phones = [
        Phone::call(&mut plane, 1, 0.0, false).await,
        Phone::call(&mut plane, 2, 0.0, false).await,
        Phone::call(&mut plane, 3, 0.0, false).await,
    ];
    for (phone, participant) in phones.iter().zip(1..) {
        plane.send(join(phone, 1, participant));
    }
    let followed = Duration::from_millis(350);
    // Nobody follows, before a page says that it does.
    let (least, most) = told_after(&mut plane, &mut phones).await;
    assert!(most > followed && least < Duration::from_secs(1), "nobody is in a hurry: {least:?} to {most:?}");
    plane.watch(true);
    let (least, _) = told_after(&mut plane, &mut phones).await;
    assert!(least < followed, "somebody waits: {least:?}");
    plane.watch(false);
    let (_, most) = told_after(&mut plane, &mut phones).await;
    assert!(most > followed, "nobody follows any more: {most:?}");
    plane.finish().await;
}
