//! The state machine of the type, held against the functions in the database.

use orders::order::{OrderState, Step, Transition};
use proto::orders::v1 as pb;
use tonic::{Code, Status};

use crate::support::{User, World, refused};

async fn ask(seller: &User, id: &str, transition: Transition) -> Result<pb::Order, Status> {
    let order = match transition {
        Transition::Ship => seller.ship(id, "").await?.into_inner().order,
        Transition::Cancel => seller.cancel(id, "").await?.into_inner().order,
    };
    Ok(order.unwrap())
}

#[tokio::test]
async fn every_state_answers_every_transition_as_the_type_says() {
    let world = World::new().await;
    world.sell("A", 1, 100).await;
    let (buyer, seller) = (world.buyer(), world.seller());
    for state in OrderState::ALL {
        for transition in Transition::ALL {
            let order = buyer
                .create(&[("A", 1)], &format!("{state:?} {transition:?}").replace(' ', "-"))
                .await
                .unwrap();
            for way in Transition::ALL.into_iter().filter(|way| way.target() == state) {
                ask(&seller, &order.id, way).await.unwrap();
            }
            let before = buyer.get(&order.id).await.unwrap();
            let answer = ask(&seller, &order.id, transition).await;
            let after = buyer.get(&order.id).await.unwrap();
            match state.after(transition) {
                Step::Moved => {
                    assert_eq!(i32::from(transition.target().number()), after.state);
                    assert_eq!(answer.unwrap(), after);
                }
                Step::Unchanged => {
                    assert_eq!(after, before);
                    assert_eq!(answer.unwrap(), before);
                }
                Step::Refused => {
                    let reason =
                        if transition == Transition::Ship { "NOT_SHIPPABLE" } else { "NOT_CANCELLABLE" };
                    refused(answer, Code::FailedPrecondition, reason);
                    assert_eq!(after, before);
                }
            }
        }
    }
    world.books.check().await;
}
