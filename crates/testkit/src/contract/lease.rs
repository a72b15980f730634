//! What every lease must do.

use eclusa_fault::Code;
use eclusa_model::RunId;
use eclusa_ports::{Lease, LeaseHolder};

/// `alive` is a holder whose process lives, `dead` one whose process does not; their runs are replaced.
pub async fn lease(lease: &dyn Lease, alive: &LeaseHolder, dead: &LeaseHolder) {
    let (one, two) = (RunId::new("r-1").unwrap(), RunId::new("r-2").unwrap());
    let of = |holder: &LeaseHolder, run: &RunId| LeaseHolder { run: run.clone(), ..holder.clone() };
    assert_eq!(lease.look().await.unwrap(), None);
    lease.release(&one).await.unwrap();
    let first = lease.take(&of(alive, &one)).await.unwrap();
    let again = lease.take(&of(alive, &one)).await.unwrap();
    assert!(again > first, "the same run takes it again with a newer generation");
    let seen = lease.look().await.unwrap().unwrap();
    assert_eq!((seen.run, seen.generation, seen.alive), (one.clone(), again, Some(true)));
    assert_eq!(lease.take(&of(alive, &two)).await.unwrap_err().code, Code::LeaseHeld);
    lease.release(&two).await.unwrap();
    assert!(lease.look().await.unwrap().is_some(), "another run's release changes nothing");
    lease.release(&one).await.unwrap();
    lease.release(&one).await.unwrap();
    assert_eq!(lease.look().await.unwrap(), None);

    lease.take(&of(dead, &one)).await.unwrap();
    assert_eq!(lease.look().await.unwrap().unwrap().alive, Some(false));
    assert_eq!(
        lease.take(&of(alive, &two)).await.unwrap_err().code,
        Code::LeaseHeld,
        "its run has not ended"
    );
    lease.take(&of(alive, &one)).await.unwrap();
    assert_eq!(lease.take(&of(dead, &one)).await.unwrap_err().code, Code::LeaseHeld, "a runner of it lives");
    lease.release(&one).await.unwrap();
    lease.take(&of(alive, &two)).await.unwrap();
    lease.release(&two).await.unwrap();
}
